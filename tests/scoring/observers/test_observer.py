"""Several observers as one: each is told, and none can spoil an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.engine import predict
from scoring.errors import InvalidRecords
from scoring.limits import Limits
from scoring.models import Model
from scoring.observers.observer import Caller, Observers
from scoring.predictor import Predictor, Scored


class Recorded:
    """An observer that keeps what it is told."""

    wanted: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.told: list[object] = []

    def answered(
        self, predictor: Predictor, scored: Scored, seconds: float, caller: Caller
    ) -> None:
        assert seconds > 0
        self.told.append((predictor.version, len(scored.scores), caller.request_id))

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        self.told.append((predictor.version, len(error.errors)))

    def stop(self) -> None:
        self.told.append("stop")


class Broken(Recorded):
    """An observer with a fault."""

    def answered(self, *_: object) -> None:
        raise KeyError("no such series")

    def refused(self, *_: object) -> None:
        raise ZeroDivisionError

    def stop(self) -> None:
        raise OSError("disk full")


def test_every_observer_is_told_whatever_the_others_do(
    model: Model, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers and refusals go out; each kind of failure is logged once, with its traceback."""
    predictor = Predictor.from_folder(models_dir / model.name, model)
    recorded = Recorded()
    observers = Observers(Broken(), recorded)
    body = model.record.model_validate(model.example).model_dump_json().encode()
    for number in range(3):
        answer = predict(
            predictor, body, limits=Limits(), observer=observers, caller=Caller(str(number))
        )
        assert answer["model_version"] == predictor.version
    with pytest.raises(InvalidRecords):
        predict(predictor, b"{}", limits=Limits(), observer=observers)
    observers.stop()
    version = predictor.version
    fields = len(model.record.model_fields)
    assert recorded.told == [*((version, 1, str(n)) for n in range(3)), (version, fields), "stop"]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["Broken failed; predictions go on"] * 3
    assert all(record.exc_info for record in caplog.records)
