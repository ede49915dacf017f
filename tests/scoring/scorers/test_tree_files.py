"""The file of a scorer of trees: written, read, refused; what has no such form."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.artifact.reading import load
from scoring.compiler import ensembles
from scoring.compiler.compile import NotCompiled, compile_pair
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.scorers import tree_file, trees
from scoring.scorers.sklearn import SklearnScorer
from scoring.scorers.trees import Trees
from tests.scoring.scorers.ensembles import CHURN, RIDE, pair_of, scorer_of
from tests.support import tiny_pair, write_artifact
from training.fit import estimators


@pytest.fixture
def small() -> Trees:
    """A forest that has two features of each kind."""
    pair, _ = pair_of(RIDE, "forest")
    return scorer_of(pair)


@pytest.mark.slow
def test_a_forest_is_written_read_and_served_without_its_pair(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder holds its arrays; the service answers the golden records from them."""
    made = RandomForestRegressor if model.task == "regression" else RandomForestClassifier
    manifest = write_artifact(model, tmp_path, made(n_estimators=5, random_state=1))
    assert manifest.compiled is not None
    assert (manifest.compiled.kind, manifest.compiled.file) == ("trees", "scorer.trees")
    monkeypatch.setattr("scoring.artifact.pickles.loads", lambda *_, **__: pytest.fail("unpickled"))
    predictor = Predictor.from_folder(tmp_path / model.name, model)
    importances = predictor.scorer.importances()
    assert importances is not None
    assert len(importances) == len(manifest.feature_names)
    assert sum(importances) == pytest.approx(1)
    assert predictor.scorer.linear() is None
    assert isinstance(predictor.scorer, Trees)


@pytest.mark.slow
def test_a_forest_of_another_models_features_is_refused(tmp_path: Path) -> None:
    """As any other compiled form."""
    write_artifact(RIDE, tmp_path, RandomForestRegressor(n_estimators=2))
    fewer = {"numbers": ["speed"]}
    path = tmp_path / "ride" / "scorer.trees"
    scorer = trees.read(path.read_bytes())
    data = tree_file.write(scorer.header.model_copy(update=fewer), scorer.nodes)
    path.write_bytes(data)
    manifest = json.loads((tmp_path / "ride" / "manifest.json").read_text())
    manifest["compiled"]["sha256"] = hashlib.sha256(data).hexdigest()
    (tmp_path / "ride" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="fitted on other features than 'ride' makes"):
        load(tmp_path / "ride", RIDE)


@pytest.mark.slow
def test_a_file_is_read_as_it_was_written(small: Trees) -> None:
    """Header and arrays, byte for byte."""
    data = tree_file.write(small.header, small.nodes)
    again = trees.read(data)
    assert (again.header, again.nodes) == (small.header, small.nodes)
    assert tree_file.write(again.header, again.nodes) == data


DAMAGED: dict[str, tuple[Callable[[Trees], bytes], str]] = {
    "empty": (lambda _: b"", "its first line"),
    "no header": (lambda _: b"\x00" * 50, "its first line"),
    "cut": (lambda s: tree_file.write(*_parts(s))[:-1], "it ends too soon"),
    "longer": (lambda s: tree_file.write(*_parts(s)) + b"x", "it goes on after its end"),
    "a later format": (lambda s: _with(s, format=3), "format: "),
    "numbers that lack nothing": (lambda s: _with(s, format=2), "absent: not one for each"),
    "more that lack": (lambda s: _with(s, format=2, absent=[0.0] * 9), "absent: not one for each"),
    "lacks of an old format": (
        lambda s: _with(s, absent=[0.0] * len(s.header.numbers)),
        "absent: not one for each",
    ),
    "too many nodes": (lambda s: _with(s, nodes=tree_file.MAX_NODES + 1), "nodes: "),
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
    "a node by two ways": (
        lambda s: _node(s, "left", 0, s.nodes.right[0]),
        "its nodes are damaged",
    ),
    "a tree twice": (lambda s: _node(s, "roots", 1, s.nodes.roots[0]), "its nodes are damaged"),
    "a leaf that is no number": (
        lambda s: _node(s, "value", -1, float("nan")),
        "its nodes are damaged",
    ),
}


def _parts(scorer: Trees) -> tuple[tree_file.Header, tree_file.Nodes]:
    return scorer.header, scorer.nodes


def _with(scorer: Trees, **facts: Any) -> bytes:
    line, _, rest = tree_file.write(*_parts(scorer)).partition(b"\n")
    return json.dumps(json.loads(line) | facts).encode() + b"\n" + rest


def _node(scorer: Trees, name: str, place: int, value: float) -> bytes:
    getattr(scorer.nodes, name)[place] = value
    return tree_file.write(*_parts(scorer))


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("numpy", ["with numpy", "without"])
def test_a_damaged_file_is_refused(
    small: Trees, damage: str, numpy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong, one line says it; no record ever walks round in a circle."""
    spoil, reason = DAMAGED[damage]
    data = spoil(small)
    if numpy == "without":
        monkeypatch.delitem(sys.modules, "numpy")
        monkeypatch.setitem(sys.modules, "scoring.scorers.tree_nodes", None)
    with pytest.raises(ArtifactError, match=f"scorer.trees cannot be used: {reason}"):
        trees.read(data)


@pytest.mark.slow
def test_a_file_of_the_other_byte_order_is_turned(
    small: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is little-endian, whatever the machine."""
    data = tree_file.write(small.header, small.nodes)
    monkeypatch.setattr("sys.byteorder", "big")
    turned = tree_file.write(small.header, small.nodes)
    assert turned != data
    assert trees.read(turned).nodes == small.nodes


def _categorical(model: Model) -> Any:
    return estimators.make(model.task, "boosting", {"categorical_features": [0]}, 1, sparse=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (lambda: tiny_pair(RIDE, BaggingRegressor()), "BaggingRegressor has no compiled"),
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
    model = RIDE if "PU_DO=74_75" in vectorizer.vocabulary_ else CHURN
    with pytest.raises(NotCompiled, match=reason):
        compile_pair(SklearnScorer((vectorizer, estimator), model))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("parameters", [{"booster": "dart"}, {"objective": "reg:tweedie"}], ids=str)
def test_other_kinds_of_xgboost_are_not_compiled(parameters: dict[str, Any]) -> None:
    """Their sums are weighted, or go through another link."""
    estimator = estimators.make("regression", "xgboost", {"n_estimators": 3, **parameters}, 1)
    with pytest.raises(NotCompiled, match="XGBoost's .* has no compiled form"):
        compile_pair(SklearnScorer(tiny_pair(RIDE, estimator), RIDE))


def test_an_ensemble_beyond_the_bound_is_not_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written without a compiled form, and whoever trains is told why."""
    monkeypatch.setattr(ensembles, "MAX_NODES", 20)
    said: list[str] = []
    made = RandomForestRegressor(n_estimators=5, random_state=1)
    manifest = write_artifact(RIDE, tmp_path, made, say=said.append)
    assert manifest.compiled is None
    assert len(said) == 1
    assert said[0].startswith("scikit-learn will serve it: RandomForestRegressor has ")
    assert said[0].endswith(" nodes; at most 20 are compiled")
    assert isinstance(Predictor.from_folder(tmp_path / "ride", RIDE).scorer, SklearnScorer)
