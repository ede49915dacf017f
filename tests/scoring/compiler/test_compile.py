"""Compiled forms: equal to scikit-learn on every record, or not made at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from scoring.compiler import compile as compiling
from scoring.compiler import ensembles
from scoring.compiler.compile import NotCompiled, compile_pair
from scoring.models import Features, Model, discover
from scoring.scorers import linear
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from tests.support import DATA_DIR, needs_real_data, records, tiny_pair
from training.data.checks import check
from training.data.tables import read
from training.fit.features import features, narrow
from training.sources import source_of

MODELS = discover()
RIDE, CHURN = MODELS["ride"], MODELS["churn"]
CUSTOMERS = "telco_customer_churn.csv"
JANUARY_AND_FEBRUARY = [f"green/green_tripdata_2021-0{month}.parquet" for month in (1, 2)]

LINEAR = [
    (RIDE, LinearRegression()),
    (RIDE, LinearRegression(fit_intercept=False)),
    (RIDE, Lasso(alpha=0.01)),
    (RIDE, Ridge(solver="sparse_cg")),
    (RIDE, ElasticNet(alpha=0.01)),
    (CHURN, LogisticRegression(solver="liblinear", random_state=1)),
    (CHURN, LogisticRegression(max_iter=10_000)),
]


def _title(part: Any) -> str:
    return getattr(part, "name", str(part))


def rows_of(model: Model) -> list[Features]:
    return [model.features(model.record.model_validate(row)) for row in records(model)]


def scorer_of(pair: SklearnScorer, model: Model) -> Linear:
    return linear.read(compile_pair(pair).data)


def assert_equal(scorer: Linear, pair: SklearnScorer, rows: Sequence[Features]) -> None:
    """Hold both to the same scores and unseen categories, within 1e-9."""
    (got, unseen), (expected, missing) = scorer.many(rows), pair.many(rows)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert unseen == missing


@pytest.mark.parametrize(("model", "estimator"), LINEAR, ids=_title)
def test_every_linear_model_is_compiled_and_equal(model: Model, estimator: Any) -> None:
    """On what it was fitted on, and on what it never saw."""
    pair = SklearnScorer(tiny_pair(model, estimator), model)
    strange = [
        {name: "new" if isinstance(value, str) else value * 7 for name, value in row.items()}
        for row in rows_of(model)
    ]
    assert_equal(scorer_of(pair, model), pair, [*rows_of(model), *strange])


def _real(model: Model, paths: Sequence[Path]) -> list[Features]:
    source = source_of(model)
    found = check(read(model, source, paths), model, source, max_dropped=1, keep_out_of_range=False)
    return features(found.frame, model)


def _fitted(model: Model, rows: list[Features], target: Any, estimator: Any) -> SklearnScorer:
    vectorizer = DictVectorizer(sparse=source_of(model).sparse)
    x = narrow(vectorizer.fit_transform(rows))
    return SklearnScorer((vectorizer, estimator.fit(x, target)), model)


@pytest.mark.long
@pytest.mark.slow
@needs_real_data(*JANUARY_AND_FEBRUARY)
def test_rides_of_every_real_month_score_as_scikit_learn_has_them() -> None:
    """Fitted on the first month, equal within 1e-9 on each ride of all months, unseen pairs of
    zones included."""
    source, months = source_of(RIDE), sorted(DATA_DIR.glob("green/*.parquet"))
    first = check(
        read(RIDE, source, months[:1]), RIDE, source, max_dropped=1, keep_out_of_range=False
    ).frame
    rows, minutes = features(first, RIDE), first[RIDE.target].to_numpy()
    pair = _fitted(RIDE, rows, minutes, LinearRegression())
    scorer = scorer_of(pair, RIDE)
    unseen = 0
    for month in months:
        rows = _real(RIDE, [month])
        assert len(rows) > 50_000
        assert_equal(scorer, pair, rows)
        unseen += len(scorer.many(rows)[1])
    assert unseen > 1000, "no month had a pair of zones that the first had not"


@pytest.mark.slow
@needs_real_data(CUSTOMERS)
@pytest.mark.parametrize("solver", ["liblinear", "lbfgs"])
def test_every_real_customer_scores_as_scikit_learn_has_them(solver: str) -> None:
    """All seven thousand of the published table, within 1e-9."""
    source = source_of(CHURN)
    table = read(CHURN, source, [DATA_DIR / CUSTOMERS])
    frame = check(table, CHURN, source, max_dropped=1, keep_out_of_range=False).frame
    rows = features(frame, CHURN)
    assert len(rows) > 7000
    estimator = LogisticRegression(solver=solver, max_iter=5000)
    pair = _fitted(CHURN, rows, frame[CHURN.target].to_numpy(), estimator)
    assert_equal(scorer_of(pair, CHURN), pair, rows)


def test_another_separator_is_compiled(model: Model) -> None:
    """The names in the table are the vectorizer's own."""
    pair = SklearnScorer(tiny_pair(model, separator=": "), model)
    scorer = scorer_of(pair, model)
    assert_equal(scorer, pair, rows_of(model))
    assert dict(scorer.columns()).keys() == set(pair.vectorizer.feature_names_)


def test_the_table_holds_every_weight(model: Model) -> None:
    """Under its column's name, bit by bit what was fitted."""
    pair = SklearnScorer(tiny_pair(model), model)
    found = dict(scorer_of(pair, model).columns())
    weights = np.ravel(pair.estimator.coef_).tolist()
    assert found == dict(zip(pair.vectorizer.feature_names_, weights, strict=True))


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (
            lambda: tiny_pair(RIDE, make_pipeline(Normalizer(), LinearRegression())),
            "Normalizer before the estimator has no compiled form",
        ),
        (lambda: tiny_pair(RIDE, dtype=np.float32), "DictVectorizer makes float32"),
        (lambda: tiny_pair(RIDE, BayesianRidge(), sparse=False), "BayesianRidge has no compiled"),
    ],
    ids=["pipeline", "float32", "another linear model"],
)
def test_what_has_no_compiled_form_says_why(pair: Any, reason: str) -> None:
    """Rounded inputs, steps between and estimators that nobody compared are not guessed at."""
    with pytest.raises(NotCompiled, match=reason):
        compile_pair(SklearnScorer(pair(), RIDE))


def test_a_regression_of_two_outputs_is_not_compiled() -> None:
    """Which of them would be the answer?"""
    vectorizer, _ = tiny_pair(RIDE)
    x = vectorizer.transform(rows_of(RIDE))
    estimator = LinearRegression().fit(x, np.zeros((x.shape[0], 2)))
    with pytest.raises(NotCompiled, match="LinearRegression of 2 outputs has no compiled form"):
        compile_pair(SklearnScorer((vectorizer, estimator), RIDE))


def test_a_form_that_answers_otherwise_is_not_made(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason, another number than the pair's is no compiled form of it."""
    real = linear.read

    def wrong(data: bytes) -> Linear:
        table = real(data).table
        return Linear(table.model_copy(update={"intercept": table.intercept + 1e-6}))

    monkeypatch.setattr(linear, "read", wrong)
    with pytest.raises(NotCompiled, match="compiled, it gives .* where the pair gives"):
        compile_pair(SklearnScorer(tiny_pair(model), model))


def test_the_proof_touches_every_column(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong weight anywhere is found."""
    mild = LogisticRegression(C=0.001, solver="liblinear") if model is CHURN else None
    pair = SklearnScorer(tiny_pair(model, mild), model)
    real = linear.read
    for place, column in enumerate(pair.vectorizer.feature_names_):

        def wrong(data: bytes, column: str = column) -> Linear:
            made = real(data)
            columns = {**dict(made.columns()), column: made.intercept + 1e3}
            return linear.of_columns(
                columns.items(),
                intercept=made.intercept,
                separator=made.separator,
                logistic=made.table.link == "logistic",
            )

        if place % 7 == 0:
            monkeypatch.setattr(linear, "read", wrong)
            with pytest.raises(NotCompiled):
                compile_pair(pair)


def test_the_same_pair_gives_the_same_file(model: Model) -> None:
    """Its digest can be compared."""
    pair = SklearnScorer(tiny_pair(model), model)
    one, other = compile_pair(pair), compile_pair(pair)
    assert one == other
    assert len(one.sha256) == 64
    assert compiling.CompiledFile("linear", one.name, one.data + b" ").sha256 != one.sha256


def test_whatever_fails_at_compiling_is_no_reason_not_to_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another library version may look different inside: the reason is told in one line."""
    pair = SklearnScorer(tiny_pair(RIDE), RIDE)
    monkeypatch.setattr(linear, "write", lambda _: dict[str, bytes]()["nodes"])
    with pytest.raises(NotCompiled, match="compiling it failed: KeyError: 'nodes'"):
        compile_pair(pair)


def test_a_wrong_threshold_is_seen_by_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """One threshold moved by a hair: values on both sides of it are among those that are tried."""
    rows = rows_of(RIDE)
    vectorizer = DictVectorizer()
    x = vectorizer.fit_transform(rows)
    tree = RandomForestRegressor(n_estimators=1, max_depth=2, random_state=1).fit(
        x, [float(row["trip_distance"]) for row in rows]
    )
    pair = SklearnScorer((vectorizer, tree), RIDE)
    assert compile_pair(pair).kind == "trees"
    honest = ensembles.at_most_32
    monkeypatch.setattr(ensembles, "at_most_32", lambda values: honest(values) + 1e-3)
    with pytest.raises(NotCompiled, match="compiled, it gives"):
        compile_pair(pair)
