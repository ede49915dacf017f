"""The answer's columns are what the model's own `answer` gives score by score."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.columns.answers import Answers
from scoring.models import Answer, Model
from tests.batch.support import CHURN, QUIET, RIDE

_MODELS: dict[str, Model] = {"ride": RIDE, "churn": CHURN}


@pytest.mark.slow
@QUIET
@given(scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
@pytest.mark.parametrize("name", list(_MODELS))
def test_answers_of_any_score_are_those_of_the_function(name: str, scores: list[float]) -> None:
    """The recorded paths through `answer` give what calling it gives."""
    model = _MODELS[name]
    answers = Answers(model, 0.5)
    assert answers.traced
    expected = [model.answer(score, 0.5) for score in scores]
    got = answers.of(np.array(scores, dtype=np.float64))
    for column, values in got.items():
        assert repr(values.to_pylist()) == repr([answer[column] for answer in expected])


def _curious(score: float, _threshold: float) -> Answer:
    return {"duration": float(round(score, 1))}


def _false_twin(score: float, _threshold: float) -> Answer:
    return {"duration": 1.0 if isinstance(score, float) else 2.0}


@pytest.mark.parametrize("answer", [_curious, _false_twin])
def test_an_answer_that_has_no_columnar_form_is_called_for_each_row(answer: Any) -> None:
    """Rounding is no plain arithmetic; a function may also ask what kind of thing it was given."""
    answers = Answers(dataclasses.replace(RIDE, answer=answer), 0.5)
    assert not answers.traced
    scores = np.array([1.23, 4.56])
    expected = [answer(score, 0.5)["duration"] for score in scores.tolist()]
    assert answers.of(scores)["duration"].to_pylist() == expected
    assert answers.of(scores[:0])["duration"].type == answers.of(scores)["duration"].type
