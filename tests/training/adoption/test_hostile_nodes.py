"""Trees that were changed on their way are refused, with what is wrong, in a moment."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.tree import DecisionTreeRegressor

from scoring.compiler.compile import NotCompiled
from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.saved.containers import read_bytes
from scoring.saved.shapes import choose
from scoring.saved.stand_ins import StandIn, walk
from tests.training.adoption.make_files import rides
from training.adoption.as_data import read_as_data


def changed(pair: Any, change: Any) -> Any:
    """Return the choice of a pair whose stand-ins were changed, by class."""
    saved = read_bytes("x.pkl", pickle.dumps(pair))
    for found in list(walk(saved.roots)):
        if isinstance(found, StandIn) and found.kind:
            change(found.kind.name, found.attributes)
    return choose([saved], None)


def tree_pair() -> Any:
    rows, target = rides()
    dv = DictVectorizer()
    return dv, DecisionTreeRegressor(max_depth=3).fit(dv.fit_transform(rows).toarray(), target)


def _loop(kind: str, held: dict[str, Any]) -> None:
    if kind == "Tree":
        nodes = np.frombuffer(held["nodes"].state[4], dtype=_dtype()).copy()
        nodes["left_child"][1] = 0
        held["nodes"] = nodes


def _far(kind: str, held: dict[str, Any]) -> None:
    if kind == "Tree":
        nodes = np.frombuffer(held["nodes"].state[4], dtype=_dtype()).copy()
        nodes["right_child"][0] = 1 << 40
        held["nodes"] = nodes


def _shared(kind: str, held: dict[str, Any]) -> None:
    if kind == "Tree":
        nodes = np.frombuffer(held["nodes"].state[4], dtype=_dtype()).copy()
        nodes["left_child"][0] = nodes["right_child"][0]
        held["nodes"] = nodes


def _column(kind: str, held: dict[str, Any]) -> None:
    if kind == "Tree":
        nodes = np.frombuffer(held["nodes"].state[4], dtype=_dtype()).copy()
        nodes["feature"][0] = 999
        held["nodes"] = nodes


def _nan(kind: str, held: dict[str, Any]) -> None:
    if kind == "Tree":
        nodes = np.frombuffer(held["nodes"].state[4], dtype=_dtype()).copy()
        nodes["threshold"][0] = np.nan
        held["nodes"] = nodes


def _few(kind: str, held: dict[str, Any]) -> None:
    if kind == "Tree":
        held["values"] = np.zeros((1, 1, 1))


def _million(kind: str, held: dict[str, Any]) -> None:
    if kind == "DecisionTreeRegressor":
        held["estimators_"] = [StandIn(None, (), state={"tree_": held["tree_"]})] * 1_000_000


def _dtype() -> Any:
    return tree_pair()[1].tree_.__getstate__()["nodes"].dtype


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_loop, "damaged: they lead nowhere, in a circle"),
        (_far, "damaged: they lead nowhere, in a circle"),
        (_shared, "damaged: they .* or twice to one"),
        (_column, "damaged: they lead nowhere, in a circle"),
        (_nan, "its nodes are damaged"),
        (_few, "a tree has not as many values as nodes"),
        (_million, "there are 1000000 trees; at most 100000 are compiled"),
    ],
    ids=[
        "a loop",
        "a far node",
        "a shared node",
        "no such column",
        "not a number",
        "few values",
        "a million trees",
    ],
)
def test_hostile_nodes_are_refused(change: Any, words: str) -> None:
    """In a moment, before anything walks them."""
    with pytest.raises((ArtifactError, NotCompiled), match=words):
        read_as_data(changed(tree_pair(), change), discover()["ride"], None)
