"""`ModelMetrics`: counts the predictions of some models, whoever asked for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import Metric

from scoring.errors import InvalidRecords
from scoring.observers import families
from scoring.observers.meter import ClassMeter, VersionMeter
from scoring.observers.observer import Caller
from scoring.observers.series import ModelSeries
from scoring.predictor import Predictor, Scored
from scoring.shared_memory.board import Board
from scoring.shared_memory.collector import Collector, Snapshot
from scoring.shared_memory.layout import Layout
from scoring.shared_memory.store import Store

_KEPT_METERS: Final = 2  # a model: of the version that serves, and of the one before


class ModelMetrics:
    """Counts in whatever process it is called, by several threads at once.

    The series are declared in a layout first, with others perhaps; `use` then says which store
    holds them. `alone` does both where there are no others.
    """

    wanted: tuple[str, ...] = ()

    def __init__(
        self,
        layout: Layout,
        predictors: Sequence[Predictor],
        *,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Declare the series of the models of `predictors`.

        The buckets of inputs and outputs are those of the versions that serve first; `aliases` are
        the registry's, by model, which the metrics carry as a label.
        """
        self._series = ModelSeries(layout, predictors)
        self._aliases = aliases or {}
        self._meters: dict[Predictor, VersionMeter] = {}
        self._making = threading.Lock()
        self._store: Store
        self._board: Board

    @classmethod
    def alone(
        cls, predictors: Sequence[Predictor], *, processes: int = 1
    ) -> tuple[ModelMetrics, Collector]:
        """Return metrics in a store of their own for so many processes, and their collector."""
        layout = Layout()
        metrics = cls(layout, predictors)
        store = Store(layout, rows=processes)
        metrics.use(store)
        return metrics, Collector(store, layout, metrics.collect)

    def use(self, store: Store) -> None:
        """Count in `store`, which was made for the layout."""
        self._store = store
        self._board = Board(store)

    def serve(self, predictor: Predictor) -> None:
        """Note that this process answers with `predictor` from now on, also before it is asked."""
        self._meter(predictor).mark()

    def answered(
        self, predictor: Predictor, scored: Scored, seconds: float, _caller: Caller
    ) -> None:
        """Count the predictions of one request, which took `seconds`."""
        meter = self._meters.get(predictor) or self._meter(predictor)
        meter.answered(scored.records, scored.scores, scored.answers, seconds)

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        """Count a request that was refused for its records."""
        self._meter(predictor).refused(error)

    def count_log_lines(self, written: int, dropped: int) -> None:
        """Count lines of the prediction log that were written, and those that were dropped."""
        row = self._store.row
        with row.lock:
            row.values[self._series.log_lines["written",]] += written
            row.values[self._series.log_lines["dropped",]] += dropped

    def stop(self) -> None:
        """Do nothing: what was counted stays for the others to show."""

    def collect(self, snapshot: Snapshot) -> Iterator[Metric]:
        """Yield the metrics that the layout does not know: by category and by version."""
        entries = self._board.read()
        yield families.categories(self._series, snapshot)
        yield families.predictions(self._series, snapshot, entries)
        yield from families.serving(self._series, snapshot, entries, self._aliases)

    def _meter(self, predictor: Predictor) -> VersionMeter:
        """Return what counts for `predictor`: the same object every time, while it serves."""
        if meter := self._meters.get(predictor):
            return meter
        with self._making:
            if predictor not in self._meters:
                made = ClassMeter if predictor.model.classes else VersionMeter
                meter = made(self._store, self._board, self._series, predictor)
                name = predictor.model.name
                same = [known for known in self._meters if known.model.name == name]
                gone = same[: len(same) + 1 - _KEPT_METERS]
                kept = {p: m for p, m in self._meters.items() if p not in gone}
                self._meters = {**kept, predictor: meter}
            return self._meters[predictor]
