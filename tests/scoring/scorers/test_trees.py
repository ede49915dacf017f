"""Forests and boosting as arrays of nodes: the estimator's own scores, without the estimator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.artifact import load
from scoring.errors import ArtifactError
from scoring.models import Features, Model, discover
from scoring.predictor import Predictor
from scoring.scorers import flatten, leafsets, trees
from scoring.scorers.compiling import NotCompiled, compiled
from scoring.scorers.pair import Pair
from scoring.scorers.trees import Trees
from tests.support import SHARED_DATA, needs_real_data, tiny_pair, write_artifact
from training import estimators
from training.checks import check
from training.datasets import read, source_of
from training.features import features, narrow

MODELS = discover()
RIDE, CHURN = MODELS["ride"], MODELS["churn"]

# Small ones, of every kind that training can make; and those that take another way at scoring.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "forest": ("forest", {"n_estimators": 7}),
    "boosting": ("boosting", {"max_iter": 15, "min_samples_leaf": 2}),
    "xgboost": ("xgboost", {"n_estimators": 15}),
    "many small trees": ("xgboost", {"n_estimators": 150, "max_depth": 2}),
    "large trees": ("forest", {"n_estimators": 3, "min_samples_leaf": 1, "bootstrap": False}),
}


def rows_of(model: Model, count: int = 900) -> tuple[list[Features], np.ndarray]:
    """Gives made-up features, and a target that depends on all of them."""
    random = np.random.default_rng(1)
    example = model.features(model.record.model_validate(model.example))
    rows: list[Features] = []
    target = np.zeros(count)
    for place in range(count):
        row: dict[str, str | float] = {}
        for name, value in example.items():
            if isinstance(value, str):
                choice = int(random.integers(0, 12))
                row[name] = f"{choice}_{choice + 1}"
                target[place] += (choice % 5) * len(name)
            else:
                row[name] = float(np.round(random.exponential(9), 2))
                target[place] += 3 * float(row[name])
        rows.append(row)
    return rows, target


def pair_of(model: Model, kind: str, *, sparse: bool = True) -> tuple[Pair, list[Features]]:
    """Gives a fitted pair, and the features that it was fitted on with some that it never saw."""
    name, parameters = KINDS[kind]
    rows, target = rows_of(model)
    vectorizer = DictVectorizer(sparse=sparse)
    x = narrow(vectorizer.fit_transform(rows))
    y = target if model.task == "regression" else (target > np.median(target)).astype(int)
    estimator = estimators.make(model.task, name, parameters, 1, sparse=sparse)
    new = [
        {name: "9_9" if isinstance(value, str) else value + 0.01 for name, value in row.items()}
        for row in rows[:50]
    ]
    return Pair((vectorizer, estimator.fit(x, y)), model), [*rows, *new]


def scorer_of(pair: Pair) -> Trees:
    return trees.read(compiled(pair).data)


@pytest.fixture
def small() -> Trees:
    """A forest that has two features of each kind."""
    pair, _ = pair_of(RIDE, "forest")
    return scorer_of(pair)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_ensemble_scores_as_its_estimator(model: Model, kind: str, sparse: bool) -> None:
    """Alone, a few at once and many at once, within a millionth; unseen categories are named."""
    pair, rows = pair_of(model, kind, sparse=sparse)
    scorer = scorer_of(pair)
    expected, missing = pair.many(rows)
    assert missing, "nothing was unseen"
    for count in (1, 40, len(rows)):  # one by one, walked, vectorised
        scores, unseen = scorer.many(rows[-count:])
        np.testing.assert_allclose(scores, expected[-count:], rtol=1e-6, atol=1e-9)
        assert [list(names) for names in unseen.values()] == [
            names for place, names in missing.items() if place >= len(rows) - count
        ]
    assert scorer.one(rows[3])[0] == pytest.approx(expected[3], rel=1e-6)
    assert np.unique(np.round(expected, 9)).size > 3


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


def test_walking_and_leaf_sets_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to the same leaf, over several blocks and words of it."""
    pair, rows = pair_of(RIDE, "forest")
    monkeypatch.setattr(leafsets, "_BLOCK", 3)
    monkeypatch.setattr(leafsets, "_MAX_LEAVES", 4096)
    sets = scorer_of(pair)
    monkeypatch.setattr(leafsets, "_MAX_BYTES", 1000)
    walked = scorer_of(pair)
    assert sets._leaf_sets
    assert not walked._leaf_sets
    assert sets.many(rows[:20])[0] == pytest.approx(walked.many(rows[:20])[0], rel=1e-12)


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
    pair = Pair((vectorizer, estimator), RIDE)
    scorer = scorer_of(pair)
    assert scorer.header.trees == estimator.best_iteration + 1 < 60
    assert scorer.many(rows)[0] == pytest.approx(pair.many(rows)[0], rel=1e-6)


@pytest.mark.slow
@needs_real_data
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
    table = read(model, source, [SHARED_DATA / file])
    frame = check(table, model, source, max_dropped=1, keep_out_of_range=False).frame
    rows = features(frame, model)
    assert len(rows) > 7000
    vectorizer = DictVectorizer(sparse=source.sparse)
    estimator = estimators.make(model.task, kind, parameters, 1, sparse=source.sparse)
    half = len(rows) // 2
    x = narrow(vectorizer.fit_transform(rows[:half]))
    pair = Pair((vectorizer, estimator.fit(x, frame[model.target].to_numpy()[:half])), model)
    scores, unseen = scorer_of(pair).many(rows)
    expected, missing = pair.many(rows)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)
    assert {place: list(names) for place, names in unseen.items()} == missing


def test_a_forest_is_written_read_and_served_without_its_pair(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder holds its arrays; the service answers the golden records from them."""
    made = RandomForestRegressor if model.task == "regression" else RandomForestClassifier
    manifest = write_artifact(model, tmp_path, made(n_estimators=5, random_state=1))
    assert manifest.compiled is not None
    assert (manifest.compiled.kind, manifest.compiled.file) == ("trees", "scorer.trees")
    monkeypatch.setattr("scoring.unpickle.loads", lambda *_, **__: pytest.fail("unpickled"))
    predictor = Predictor.from_folder(tmp_path / model.name, model)
    assert predictor.scorer.kind == "trees"
    importances = predictor.scorer.importances()
    assert importances is not None
    assert len(importances) == len(manifest.feature_names)
    assert sum(importances) == pytest.approx(1)
    assert predictor.scorer.linear() is None


def test_a_forest_of_another_models_features_is_refused(tmp_path: Path) -> None:
    """As any other compiled form."""
    write_artifact(RIDE, tmp_path, RandomForestRegressor(n_estimators=2))
    fewer = {"numbers": ["speed"]}
    path = tmp_path / "ride" / "scorer.trees"
    scorer = trees.read(path.read_bytes())
    data = trees.write(scorer.header.model_copy(update=fewer), scorer.nodes)
    path.write_bytes(data)
    manifest = json.loads((tmp_path / "ride" / "manifest.json").read_text())
    manifest["compiled"]["sha256"] = hashlib.sha256(data).hexdigest()
    (tmp_path / "ride" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="fitted on other features than 'ride' makes"):
        load(tmp_path / "ride", RIDE)


def test_a_file_is_read_as_it_was_written(small: Trees) -> None:
    """Header and arrays, byte for byte."""
    data = trees.write(small.header, small.nodes)
    again = trees.read(data)
    assert (again.header, again.nodes) == (small.header, small.nodes)
    assert trees.write(again.header, again.nodes) == data


DAMAGED: dict[str, tuple[Callable[[Trees], bytes], str]] = {
    "empty": (lambda _: b"", "its first line"),
    "no header": (lambda _: b"\x00" * 50, "its first line"),
    "cut": (lambda s: trees.write(*_parts(s))[:-1], "it ends too soon"),
    "longer": (lambda s: trees.write(*_parts(s)) + b"x", "it goes on after its end"),
    "a later format": (lambda s: _with(s, format=2), "format: "),
    "too many nodes": (lambda s: _with(s, nodes=trees.MAX_NODES + 1), "nodes: "),
    "no trees": (lambda s: _with(s, trees=0), "trees: "),
    "a base that is no number": (lambda s: _with(s, base="NaN"), "base: "),
    "a circle": (lambda s: _node(s, "left", 0, 0), "its nodes are damaged"),
    "a node that is not there": (lambda s: _node(s, "right", 0, 10**6), "its nodes are damaged"),
    "a leaf with something below": (lambda s: _node(s, "left", -1, 1), "its nodes are damaged"),
    "a node with nothing below": (
        lambda s: _node(s, "left", 0, len(s.nodes.left)),
        "its nodes are damaged",
    ),
    "a feature that is not there": (lambda s: _node(s, "group", 0, 7), "its nodes are damaged"),
    "a root that is not there": (lambda s: _node(s, "roots", 0, -1), "its nodes are damaged"),
    "a leaf that is no number": (
        lambda s: _node(s, "value", -1, float("nan")),
        "its nodes are damaged",
    ),
}


def _parts(scorer: Trees) -> tuple[trees.Header, trees.Nodes]:
    return scorer.header, scorer.nodes


def _with(scorer: Trees, **facts: Any) -> bytes:
    line, _, rest = trees.write(*_parts(scorer)).partition(b"\n")
    return json.dumps(json.loads(line) | facts).encode() + b"\n" + rest


def _node(scorer: Trees, name: str, place: int, value: float) -> bytes:
    getattr(scorer.nodes, name)[place] = value
    return trees.write(*_parts(scorer))


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused(small: Trees, damage: str) -> None:
    """Whatever is wrong, one line says it; no record ever walks round in a circle."""
    spoil, reason = DAMAGED[damage]
    with pytest.raises(ArtifactError, match=f"scorer.trees cannot be used: {reason}"):
        trees.read(spoil(small))


def test_a_file_of_the_other_byte_order_is_turned(
    small: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is little-endian, whatever the machine."""
    data = trees.write(small.header, small.nodes)
    monkeypatch.setattr("sys.byteorder", "big")
    turned = trees.write(small.header, small.nodes)
    assert turned != data
    assert trees.read(turned).nodes == small.nodes


def _categorical(model: Model) -> Any:
    return estimators.make(model.task, "boosting", {"categorical_features": [0]}, 1, sparse=False)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (lambda: tiny_pair(RIDE, ExtraTreesRegressor(3)), "ExtraTreesRegressor has no compiled"),
        (
            lambda: tiny_pair(
                RIDE, make_pipeline(StandardScaler(with_mean=False), RandomForestRegressor(3))
            ),
            "StandardScaler before the estimator has no compiled form",
        ),
        (lambda: tiny_pair(CHURN, _categorical(CHURN), sparse=False), "categorical columns"),
    ],
    ids=["another forest", "scaled", "categorical"],
)
def test_what_cannot_be_laid_out_says_why(pair: Callable[[], Any], reason: str) -> None:
    """Scikit-learn serves it."""
    vectorizer, estimator = pair()
    model = RIDE if "PU_DO=10_50" in vectorizer.vocabulary_ else CHURN
    with pytest.raises(NotCompiled, match=reason):
        compiled(Pair((vectorizer, estimator), model))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("parameters", [{"booster": "dart"}, {"objective": "reg:tweedie"}], ids=str)
def test_other_kinds_of_xgboost_are_not_compiled(parameters: dict[str, Any]) -> None:
    """Their sums are weighted, or go through another link."""
    estimator = estimators.make("regression", "xgboost", {"n_estimators": 3, **parameters}, 1)
    with pytest.raises(NotCompiled, match="XGBoost's .* has no compiled form"):
        compiled(Pair(tiny_pair(RIDE, estimator), RIDE))


def test_an_ensemble_beyond_the_bound_is_not_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written without a compiled form, and whoever trains is told why."""
    monkeypatch.setattr(flatten, "MAX_NODES", 20)
    said: list[str] = []
    made = RandomForestRegressor(n_estimators=5, random_state=1)
    manifest = write_artifact(RIDE, tmp_path, made, say=said.append)
    assert manifest.compiled is None
    assert len(said) == 1
    assert said[0].startswith("scikit-learn will serve it: RandomForestRegressor has ")
    assert said[0].endswith(" nodes; at most 20 are compiled")
    assert Predictor.from_folder(tmp_path / "ride", RIDE).scorer.kind == "scikit-learn"
