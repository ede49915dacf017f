"""Columns are scored as records are: answers, unseen categories and refusals, to the bit."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from batch.columns import score
from batch.columns.score import TableScorer
from batch.columns.scores import Scored, column_scorer
from scoring.predictor import Predictor
from scoring.scorers.classes import Classes
from scoring.scorers.tree_file import Header, Nodes
from scoring.scorers.trees import Trees
from tests.batch.support import CHURN, QUIET, RIDE, same
from tests.support import records, write_artifact

KINDS = ["ride", "churn", "ride-forest", "churn-forest", "ride-large-trees", "ride-scaled"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_valid_rows_get_the_answers_of_requests(scorers: dict[str, TableScorer], kind: str) -> None:
    """Each kind of scorer, many rows, categories that training saw and others."""
    values = records(scorers[kind].model, 400)
    same(scorers[kind], values)
    same(scorers[kind], values[::-1])  # what was learned about combinations is used again


@pytest.mark.slow
def test_what_has_a_compiled_form_is_scored_by_columns(scorers: dict[str, TableScorer]) -> None:
    """Only a model without one goes through scikit-learn."""
    assert {name for name, made in scorers.items() if not made.vectorised} == {"ride-scaled"}


def test_trees_to_which_a_missing_number_is_not_zero_are_not_scored_by_columns() -> None:
    """Columns have zero there; record by record, each node sends it its own way."""
    header = Header(
        format=2, link="identity", single=True, base=0.0, scale=1.0, separator="=",
        numbers=["age", "age"], absent=[-1e9, 1e9], categories={}, trees=1, nodes=1,
        importances=None,
    )  # fmt: skip
    end = array("i", [1])
    made = Trees(header, Nodes(array("i", [0]), array("h", [-1]), array("d", [2.0]), end, end))
    assert made.one({"age": 3.0}) == (2.0, ())
    assert column_scorer(made) is None
    assert column_scorer(Classes([made] * 3, ("a", "b", "c"), "softmax")) is None


NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 100), st.none(), st.just(-0.0)
)
ZONES = st.one_of(st.integers(-5, 300), st.none(), st.integers(-(2**63), 2**63 - 1))
RIDES = st.lists(
    st.fixed_dictionaries({"PULocationID": ZONES, "DOLocationID": ZONES, "trip_distance": NUMBERS}),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@QUIET
@given(values=RIDES)
def test_any_ride_is_answered_or_refused_alike(
    scorers: dict[str, TableScorer], values: list[dict[str, Any]]
) -> None:
    """Whatever the numbers are; refusals have the same words."""
    for kind in ("ride", "ride-forest", "ride-scaled"):
        same(scorers[kind], values, PULocationID=pa.int64(), DOLocationID=pa.int64(),
             trip_distance=pa.float64())  # fmt: skip


WORDS = st.sampled_from(["yes", "No", " NO ", "no phone service", "month-to-month", "", "DSL", "x"])
CELLS = {
    "seniorcitizen": st.one_of(st.integers(-1, 2), st.none()),
    "tenure": st.integers(-1, 1300),
    "monthlycharges": st.floats(-1, 10_001),
    "totalcharges": st.one_of(st.none(), st.floats(0, 1e7)),
}
CUSTOMERS = st.lists(
    st.fixed_dictionaries(
        {
            name: CELLS.get(name, st.one_of(st.just(example), WORDS, st.none()))
            for name, example in CHURN.example.items()
        }
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.slow
@QUIET
@given(values=CUSTOMERS)
def test_any_customer_is_answered_or_refused_alike(
    scorers: dict[str, TableScorer], values: list[dict[str, Any]]
) -> None:
    """Spellings, missing cells, and choices that there are not."""
    for kind in ("churn", "churn-forest"):
        same(scorers[kind], values, totalcharges=pa.float64(), seniorcitizen=pa.int64())


def test_a_model_that_gives_no_finite_number_ends_the_run(scorers: dict[str, TableScorer]) -> None:
    """As a request would: its weights are broken."""
    scorer = scorers["ride"]
    broken = TableScorer(scorer.predictor)

    class Broken:
        def score(self, features: Any) -> Any:
            rows = len(next(iter(features.values())).values)
            return Scored(np.full(rows, np.inf), {})

    broken._scorer = Broken()
    with pytest.raises(ArithmeticError, match="gave no finite number"):
        same(broken, records(RIDE, 3))


def test_a_scorer_that_is_not_equal_is_refused(
    scorers: dict[str, TableScorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden records are scored by columns before anything else is."""

    class Off:
        def __init__(self, of: Any) -> None:
            self.real: Any = column_scorer(of)

        def score(self, features: Any) -> Any:
            scores, unseen = self.real.score(features)
            return Scored(np.nextafter(scores, np.inf), unseen)

    monkeypatch.setattr(score, "column_scorer", Off)
    with pytest.raises(ArithmeticError, match="not scored as records"):
        TableScorer(scorers["ride"].predictor)


@pytest.mark.slow
def test_a_forest_over_many_rows(tmp_path: Path) -> None:
    """More rows than are walked at a time give what each gives alone."""
    write_artifact(RIDE, tmp_path, RandomForestRegressor(30, random_state=3))
    scorer = TableScorer(Predictor.from_folder(tmp_path / "ride", RIDE))
    same(scorer, records(RIDE, 3000))
