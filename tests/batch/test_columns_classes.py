"""Several classes by columns: the probabilities of requests, to the bit."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from batch.columns.answers import Answers
from batch.columns.features import Column
from batch.columns.score import TableScorer
from batch.columns.scores import column_scorer
from scoring.models import Answer, Shares
from scoring.predictor import Predictor
from scoring.scorers.classes import Classes
from scoring.scorers.linear import Linear, Table
from scoring.values.shares import Link
from tests.batch.own_model import penguins, write_artifact, write_code
from tests.batch.support import QUIET, by_columns, one_by_one, same
from tests.flowers import FLOWERS, SPECIES

_ESTIMATORS = {
    "linear": lambda: LogisticRegression(max_iter=2000),
    "forest": lambda: RandomForestClassifier(5, random_state=1),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5),
}


@pytest.fixture(scope="module", params=list(_ESTIMATORS))
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TableScorer:
    """A table scorer of three classes."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_CODE", str(write_code(folder / "code")))
        model = write_artifact(folder / "models", _ESTIMATORS[request.param]())
        return TableScorer(Predictor.from_folder(folder / "models" / "penguin", model))


@pytest.mark.slow
def test_rows_get_the_probabilities_of_requests(scorer: TableScorer) -> None:
    """By columns, with fields that are null, categories that are new and rows that are refused."""
    assert scorer.vectorised
    values = penguins(400).to_pylist()
    names = list(scorer.model.record.model_fields)
    columns = {name: penguins(400)[name].combine_chunks() for name in names}
    got = by_columns(scorer, columns, 400)
    assert got == one_by_one(scorer.predictor, values)
    assert len(got["refused"]) == 8
    assert any(got["unseen"])
    assert {*got["answers"]["species"]} > {"adelie"}


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_that_are_all_refused_leave_columns_of_no_row(scorer: TableScorer, rows: int) -> None:
    """With the names and types of the others, as parts of one output have the same columns."""
    columns = {name: pa.array([value] * rows) for name, value in scorer.model.example.items()}
    types = {name: column.type for name, column in scorer.score(columns, rows).answers.items()}
    columns["bill_mm"] = pa.array([-1.0] * rows)
    got = scorer.score(columns, rows)
    assert {name: (column.type, len(column)) for name, column in got.answers.items()} == {
        name: (kind, 0) for name, kind in types.items()
    }


CELLS = st.fixed_dictionaries(
    {
        "bill_mm": st.one_of(st.floats(-1, 101), st.none(), st.just(-0.0)),
        "mass_kg": st.one_of(st.floats(-1, 11), st.none()),
        "island": st.sampled_from(["biscoe", "dream", "Dream", "moon", None]),
        "ring": st.one_of(st.sampled_from(["red", "blue", "green", "x" * 21]), st.none()),
    }
)


@pytest.mark.slow
@QUIET
@given(values=st.lists(CELLS, min_size=1, max_size=20))
def test_any_row_is_answered_or_refused_alike(
    scorer: TableScorer, values: list[dict[str, Any]]
) -> None:
    """Whatever its cells are."""
    floats, texts = pa.float64(), pa.string()
    same(scorer, values, bill_mm=floats, mass_kg=floats, island=texts, ring=texts)


SUMS = st.one_of(st.floats(allow_nan=False), st.floats(-1, 1), st.sampled_from([0.0, -0.0, 800.0]))


@pytest.mark.slow
@QUIET
@given(sums=st.lists(SUMS, min_size=3, max_size=5))
@pytest.mark.parametrize("link", ["softmax", "logistic", "shares"])
def test_links_are_those_of_one_record(link: Link, sums: list[float]) -> None:
    """Of any sums of the classes, also where they are too large for a number."""
    parts = [
        Linear(Table.model_construct(link="identity", intercept=total, separator="=",
                                     numbers={"x": 0.0}, categories={}))
        for total in sums
    ]  # fmt: skip
    made = Classes(parts, tuple(map(str, range(len(sums)))), link)
    by_record, _ = made.one({"x": 1.0})
    assert isinstance(by_record, Shares)
    columns = column_scorer(made)
    assert columns is not None
    [row] = columns.score({"x": Column(np.ones(1))}).scores
    if math.isfinite(by_record):
        assert repr(row.tolist()) == repr([*by_record.shares])
    else:
        assert not np.isfinite(row.max())


def _odd(score: Shares, threshold: float) -> Answer:
    if score > threshold and score.most_likely != "setosa":
        return {"sure": True, "first": score.shares[0], "is": score.most_likely}
    return {"sure": score.most_likely == "versicolor", "first": 1 - score, "is": "nobody"}


def _looked_into(score: Shares, _threshold: float) -> Answer:
    return {"place": float(score.place), "upper": score.most_likely.upper()}


@pytest.mark.parametrize(
    ("answer", "traced"), [(FLOWERS.answer, True), (_odd, True), (_looked_into, False)]
)
def test_answers_of_any_probabilities_are_those_of_the_function(answer: Any, traced: bool) -> None:
    """Paths through it are followed; what looks into a text is called for each row."""
    answers = Answers(dataclasses.replace(FLOWERS, answer=answer), 0.5)
    assert answers.traced is traced
    chance = np.random.default_rng(1)
    shares = np.vstack([chance.dirichlet([0.5] * 3, 200), np.eye(3), np.full((1, 3), 1 / 3)])
    expected = [answer(Shares(row, SPECIES), 0.5) for row in shares.tolist()]
    assert pa.table(answers.of(shares)).to_pylist() == expected
    assert {n: c.type for n, c in answers.of(shares[:0]).items()} == {
        n: c.type for n, c in answers.of(shares).items()
    }
