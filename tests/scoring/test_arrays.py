"""Arrays of plain records are answered in one pass as they are answered the long way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scoring.engine import predict
from scoring.errors import RequestError, TooLarge
from scoring.limits import Limits
from scoring.models import Model
from scoring.predictor import Predictor
from tests.support import records


@pytest.fixture
def predictor(model: Model, models_dir: Any) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


def test_both_ways_answer_alike(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good records and bad ones, empty arrays, other keys: to the letter."""
    rows = records(predictor.model, 50)
    first = next(iter(rows[0]))
    arrays = [
        rows, [], rows[:1], [*rows, {**rows[0], "id": 1}], [*rows, {}], [*rows, 3],
        [{**rows[0], first: None}], [{**rows[0], first: True}],
    ]  # fmt: skip
    bodies = [json.dumps(array).encode() for array in arrays]
    assert predictor.plain_array(bodies[0], Limits()) is not None
    assert predictor.plain_array(bodies[3], Limits()) is None
    together = [outcome(predictor, body) for body in bodies]
    monkeypatch.setattr(predictor, "_typed", None)
    assert together == [outcome(predictor, body) for body in bodies]


def test_too_many_plain_records_are_refused(predictor: Predictor) -> None:
    """By their number, as others are."""
    body = json.dumps(records(predictor.model, 3)).encode()
    with pytest.raises(TooLarge, match="4 records in one request; at most 3"):
        predict(predictor, body, limits=Limits(max_records=3))


def outcome(predictor: Predictor, body: bytes) -> Any:
    """Return the answer, or what is said against the body."""
    try:
        return predict(predictor, body, limits=Limits(max_records=100))
    except RequestError as error:
        return error.detail, error.errors
