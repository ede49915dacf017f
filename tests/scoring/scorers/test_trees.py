"""The scorer of trees scores as the estimator that it was compiled from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer

from scoring.models import Model
from scoring.scorers import leafsets, tree_file, trees, vectorised
from scoring.scorers.sklearn import SklearnScorer
from tests.scoring.scorers.ensembles import CHURN, KINDS, RIDE, pair_of, rows_of, scorer_of
from tests.support import DATA_DIR, needs_real_data
from tests.training.export.shop import SHOP, Sale, sales
from training.data.checks import check
from training.data.tables import read
from training.fit import estimators
from training.fit.features import features, narrow
from training.sources import source_of


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_ensemble_scores_as_its_estimator(model: Model, kind: str, sparse: bool) -> None:
    """Alone, a few at once and many at once, within a millionth; unseen categories are named."""
    pair, rows = pair_of(model, kind, sparse=sparse)
    scorer = scorer_of(pair)
    expected, missing = pair.many(rows)
    has_categories = any(isinstance(value, str) for value in rows[0].values())
    assert bool(missing) == has_categories, "nothing was unseen"
    for count in (1, 40, len(rows)):  # one by one, walked, vectorised
        scores, unseen = scorer.many(rows[-count:])
        np.testing.assert_allclose(scores, expected[-count:], rtol=1e-6, atol=1e-9)
        assert [list(names) for names in unseen.values()] == [
            names for place, names in missing.items() if place >= len(rows) - count
        ]
    assert scorer.one(rows[3])[0] == pytest.approx(expected[3], rel=1e-6)
    assert np.unique(np.round(expected, 9)).size > 3


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_on_a_threshold_go_where_the_estimator_sends_them(kind: str) -> None:
    """Also where it rounds to 32 bits before it compares: the neighbours of every threshold."""
    pair, rows = pair_of(RIDE, kind)
    scorer = scorer_of(pair)
    asked = zip(scorer.nodes.group, scorer.nodes.value, strict=True)
    near = [value for group, value in asked if group == 0]
    tried = sorted({x for v in near for x in (v, np.nextafter(v, 99), np.nextafter(v, -99))})
    strange = [{**rows[0], "trip_distance": float(value)} for value in tried]
    assert len(strange) > 30
    scores, _ = scorer.many(strange)
    np.testing.assert_allclose(scores, pair.many(strange)[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", KINDS)
def test_many_records_that_reach_a_node_go_on_together(
    model: Model, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the sums that they have one by one, to the bit; what is no number goes left."""
    pair, rows = pair_of(model, kind)
    number = next(name for name, value in rows[0].items() if not isinstance(value, str))
    rows += [{**row, number: float("nan")} for row in rows[:20]]
    scorer = scorer_of(pair)
    expected = [scorer.one(row)[0] for row in rows]
    sent = []
    real = vectorised._together

    def together(*given: Any) -> list[float]:
        sent.append(len(given[2]))
        return real(*given)

    monkeypatch.setattr(trees, "_VECTORISED_SETS", 1)
    monkeypatch.setattr(vectorised, "_together", together)
    for records in (10**9, 0):
        monkeypatch.setattr(vectorised, "_A_NODE", records)
        assert scorer.many(rows)[0] == expected
    assert sent == [len(rows)]


def test_walking_and_leaf_sets_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to the same leaf, over several blocks and words of it."""
    pair, rows = pair_of(RIDE, "forest")
    monkeypatch.setattr(leafsets, "_BLOCK", 3)
    monkeypatch.setattr(leafsets, "_MAX_LEAVES", 4096)
    sets = scorer_of(pair)
    monkeypatch.setattr(leafsets, "_MAX_BYTES", 1000)
    walked = scorer_of(pair)
    assert sets.leaf_sets
    assert not walked.leaf_sets
    assert sets.many(rows[:20])[0] == pytest.approx(walked.many(rows[:20])[0], rel=1e-12)


def test_what_is_no_number_goes_left_on_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """By sets of leaves, node by node, and with numpy: NaN is above no threshold, which is what
    less than every one of them comes to."""
    pair, rows = pair_of(RIDE, "forest")
    monkeypatch.setattr(leafsets, "_MAX_LEAVES", 4096)
    sets = scorer_of(pair)
    monkeypatch.setattr(leafsets, "_MAX_BYTES", 1000)
    walked = scorer_of(pair)
    assert sets.leaf_sets
    assert not walked.leaf_sets
    least, strange = ([{**row, "trip_distance": x} for row in rows[:40]] for x in (-9e99, np.nan))
    expected, _ = sets.many(least)
    assert sets.many(strange)[0] == expected
    assert [walked.one(row)[0] for row in strange] == expected
    assert walked.many(strange)[0] == pytest.approx(expected, rel=1e-12)  # numpy
    assert sets.many(rows[:40])[0] != expected


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
def test_xgboost_sends_a_missing_number_its_own_way(sparse: bool) -> None:
    """A null weight or age is no zero to it, where the matrix is sparse: it goes where each node
    sends what is missing, to either side; one by one, walked and with numpy."""
    sold = [Sale.model_validate(sale) for sale in sales()]
    rows = [SHOP.features(sale) for sale in sold]
    target = [
        (40.0 if sale.weight is None else sale.weight) - (9 if sale.age is None else sale.age)
        for sale in sold
    ]
    vectorizer = DictVectorizer(sparse=sparse)
    x = narrow(vectorizer.fit_transform(rows))
    estimator = estimators.make("regression", "xgboost", {"n_estimators": 30}, 1, sparse=sparse)
    pair = SklearnScorer((vectorizer, estimator.fit(x, target)), SHOP)
    scorer = scorer_of(pair)
    assert scorer.header.format == (2 if sparse else 1)
    assert scorer.header.numbers.count("weight") == (2 if sparse else 1)
    zero = [{**row, "weight": 0.0} for row in rows if "weight" not in row]
    asked = [*rows, *zero, *rows]
    expected, _ = pair.many(asked)
    for count in (1, 40, len(asked)):
        np.testing.assert_allclose(scorer.many(asked[:count])[0], expected[:count], rtol=1e-6)
    missing = [score for row, score in zip(rows, expected, strict=False) if "weight" not in row]
    assert (pair.many(zero)[0] != missing) == sparse
    again = trees.read(tree_file.write(scorer.header, scorer.nodes))
    assert (again.header, again.nodes) == (scorer.header, scorer.nodes)


@pytest.mark.usefixtures("one_thread")
def test_xgboost_that_stopped_early_uses_its_best_rounds() -> None:
    """As its own predictions do."""
    rows, target = rows_of(RIDE)
    vectorizer = DictVectorizer()
    x = vectorizer.fit_transform(rows)
    given = {"n_estimators": 60, "early_stopping_rounds": 2, "learning_rate": 0.9}
    estimator = estimators.make("regression", "xgboost", given, 1)
    noise = target + np.random.default_rng(2).normal(0, 30, len(target))
    estimator.fit(x[:600], noise[:600], eval_set=[(x[600:], noise[600:])], verbose=False)
    estimator.evals_result_ = {}
    pair = SklearnScorer((vectorizer, estimator), RIDE)
    scorer = scorer_of(pair)
    assert scorer.header.trees == estimator.best_iteration + 1 < 60
    assert scorer.many(rows)[0] == pytest.approx(pair.many(rows)[0], rel=1e-6)


@pytest.mark.long
@pytest.mark.slow
@needs_real_data("telco_customer_churn.csv", "green/green_tripdata_2021-02.parquet")
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("model", "file", "kind", "parameters"),
    [
        (CHURN, "telco_customer_churn.csv", "forest", {}),
        (CHURN, "telco_customer_churn.csv", "xgboost", {}),
        (RIDE, "green/green_tripdata_2021-02.parquet", "xgboost", {}),
        (RIDE, "green/green_tripdata_2021-02.parquet", "boosting", {"max_iter": 20}),
    ],
    ids=["forest churn", "xgboost churn", "xgboost ride", "boosting ride"],
)
def test_real_records_score_as_their_estimator_has_them(
    model: Model, file: str, kind: str, parameters: dict[str, Any]
) -> None:
    """Every customer, and a month of rides, within a millionth."""
    source = source_of(model)
    table = read(model, source, [DATA_DIR / file])
    frame = check(table, model, source, max_dropped=1, keep_out_of_range=False).frame
    rows = features(frame, model)
    assert len(rows) > 7000
    vectorizer = DictVectorizer(sparse=source.sparse)
    estimator = estimators.make(model.task, kind, parameters, 1, sparse=source.sparse)
    half = len(rows) // 2
    x = narrow(vectorizer.fit_transform(rows[:half]))
    pair = SklearnScorer(
        (vectorizer, estimator.fit(x, frame[model.target].to_numpy()[:half])), model
    )
    scores, unseen = scorer_of(pair).many(rows)
    expected, missing = pair.many(rows)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)
    assert {place: list(names) for place, names in unseen.items()} == missing
