"""Who sees every prediction: it is counted, and logged where that is asked for."""

from __future__ import annotations

from scoring.errors import InvalidRecords
from scoring.metrics.recorder import Metrics
from scoring.predictionlog.log import PredictionLog
from scoring.predictor import Predictor, Scored


class Witness:
    """Is told once of each request that a model was asked by. It must not cost more than some
    millionths of a second, and never fail."""

    def __init__(self, metrics: Metrics, log: PredictionLog | None = None) -> None:
        self._metrics = metrics
        self.log = log

    def answered(
        self, predictor: Predictor, scored: Scored, seconds: float, request_id: str
    ) -> None:
        """The records of one request, which has this id, were predicted within `seconds`."""
        self._metrics.meter(predictor).answered(*scored, seconds)
        if self.log:
            self.log.write(request_id, predictor, scored)

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        """A request had a record that is not valid."""
        self._metrics.meter(predictor).refused(error)
