"""Lines of the prediction log, made where a request is answered or by the log's thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scoring.models import Model
from scoring.observers.log_lines import Entry, Lines
from scoring.observers.observer import Caller
from scoring.predictor import Predictor
from tests.support import records

SECRET = "sixteen letters."


@pytest.fixture
def predictor(model: Model, models_dir: Path) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


def test_a_line_that_is_made_at_once_is_the_same(predictor: Predictor) -> None:
    """Of one record; what has more to it is left to the log's thread."""
    rows = records(predictor.model, 3)
    plain, hashing = Lines((), (), ""), Lines([], list(rows[0])[:1], SECRET)

    def entry(count: int, moment: float = 1.7e9, **of: Any) -> Entry:
        caller = Caller("id-1", **of)
        return Entry(moment, caller, predictor, predictor.many(rows[:count]))

    asked = [entry(1), entry(1, key="a"), entry(1, key="b"), entry(1), entry(1, 1.7e9 + 1.5)]
    assert [plain.quick(*one) for one in asked] == [next(plain.of(one)) for one in asked]
    assert len({plain.quick(*one) for one in asked}) == 4
    others = [entry(2), entry(1, ids=["event"]), entry(1, carried=[{"customerid": "c"}])]
    assert [plain.quick(*one) for one in others] == [None] * 3
    assert hashing.quick(*entry(1)) is None
