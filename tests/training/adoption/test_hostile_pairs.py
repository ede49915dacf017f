"""A pair that this version would load, changed so that reading or scoring it would never end or
leave the process: refused in a moment, before anything is asked of it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBRegressor

from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.saved.containers import read_bytes
from scoring.saved.shapes import choose
from scoring.scorers.sklearn import check_pair
from scoring.scorers.tree_nodes import check_nodes
from tests.training.adoption.make_files import rides

RIDE = discover()["ride"]


@cache
def table() -> tuple[Any, Any, list[float]]:
    """Return a vectorizer, what it makes of rides, and their minutes."""
    rows, target = rides()
    dv = DictVectorizer(sparse=False)
    return dv, dv.fit_transform(rows), target


def fitted(estimator: Any) -> Any:
    _, x, target = table()
    return estimator.fit(x, target)


def linear(**changed: Any) -> Any:
    made = fitted(LinearRegression())
    vars(made).update(changed)
    return made


def _twice(depth: int = 60) -> Any:
    found: Any = 1.0
    for _ in range(depth):
        found = [found, found]
    return found


def _itself() -> Any:
    found: list[Any] = []
    found.append(found)
    return found


class _Array:
    """An array as a pickle has it, of bytes that others share."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> Any:
        state = (1, (len(self.data) // 8,), np.dtype("f8"), False, self.data)
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), state


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: {"coef_": _twice()}, "comes to more than 1024 MiB"),
        (lambda: {"n_features_in_": _twice()}, "comes to more than 1024 MiB"),
        (lambda: {"more": {"a": (_twice(), 1)}}, "comes to more than 1024 MiB"),
        (lambda: {"coef_": [*map(_Array, [bytes(1 << 20)] * 1100)]}, "comes to more than 1024 MiB"),
        (lambda: {"coef_": _itself()}, "it holds a list that holds itself"),
    ],
    ids=["lists", "a width", "a dictionary", "arrays of the same bytes", "itself"],
)
@pytest.mark.parametrize(
    "how", [pickle.dumps, lambda pair: _joblib(pair)], ids=["pickle", "joblib"]
)
def test_what_a_pair_comes_to_is_bounded(
    change: Callable[[], Any], words: str, how: Callable[[Any], bytes]
) -> None:
    """A kilobyte that stands for more than there is memory: known before it is unfolded."""
    saved = read_bytes("x", how((table()[0], linear(**change()))))
    with pytest.raises(ArtifactError, match=words):
        choose([saved], None)


def _joblib(value: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def test_a_name_within_joblibs_arrays_is_seen() -> None:
    """As one anywhere else in the file."""

    class Evil:
        def __reduce__(self) -> Any:
            return eval, ("1",)

    held = np.array([Evil()], dtype=object)
    saved = read_bytes("x", _joblib((table()[0], linear(), held)))
    with pytest.raises(ArtifactError, match=r"names 'builtins\.eval', which is not on the"):
        choose([saved], None)


def test_a_zip_whose_file_is_named_a_thousand_times_is_refused() -> None:
    """Each time would be an array of its own."""
    data = zipfile.ZipFile(io.BytesIO(skops.io.dumps([np.zeros(1 << 14)])))
    schema = json.loads(data.read("schema.json"))
    [node] = schema["content"]
    schema["content"] = [{**node, "__id__": n} for n in range(1000)]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(node["file"], data.read(node["file"]))
        made.writestr("schema.json", json.dumps(schema))
    with pytest.raises(ArtifactError, match="it unpacks to more than 10 MiB"):
        read_bytes("x", file.getvalue(), 10 << 20)


def _spoil(tree: Any, **change: tuple[int, int]) -> None:
    """Change numbers of a tree's nodes: by field, the node and what it gets."""
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    for field, (place, value) in change.items():
        state["nodes"][field][place] = value
    tree.__setstate__(state)


def _tree(**change: tuple[int, int]) -> Any:
    made = fitted(DecisionTreeRegressor(max_depth=3))
    _spoil(made.tree_, **change)
    return made


def _forest() -> Any:
    made = fitted(RandomForestRegressor(2, max_depth=3))
    _spoil(made.estimators_[1].tree_, left_child=(1, 0))
    return made


def _narrow_forest() -> Any:
    made = fitted(RandomForestRegressor(1, max_depth=3))
    made.estimators_[0].n_features_in_ = 10_000  # which nobody asks it for
    _spoil(made.estimators_[0].tree_, feature=(0, 5000))
    return made


def _gradient() -> Any:
    made = fitted(GradientBoostingRegressor(n_estimators=2))
    _spoil(made.estimators_[1, 0].tree_, left_child=(0, 0))
    return made


def _begins_with_a_tree() -> Any:
    made = fitted(GradientBoostingRegressor(n_estimators=2))
    made.init_ = _tree(left_child=(0, 0))
    return made


def _hist(field: str, value: int, flag: str = "missing_go_to_left") -> Any:
    made = fitted(HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=3))
    nodes = made._predictors[1][0].nodes
    nodes[field][0], nodes[flag][0] = value, 1
    return made


def _calibrated() -> Any:
    _, x, target = table()
    tree = DecisionTreeClassifier(max_depth=2)
    made = CalibratedClassifierCV(tree, cv=2).fit(x, np.array(target) > np.median(target))
    _spoil(made.calibrated_classifiers_[1].estimator.tree_, right_child=(0, 0))
    return made


def _xgboost(field: str, value: int) -> Any:
    made = fitted(XGBRegressor(n_estimators=2, max_depth=2, n_jobs=1))
    held = json.loads(bytes(made.get_booster().save_raw("json")))
    model = held["learner"]["gradient_booster"]["model"]
    (model if field == "tree_info" else model["trees"][1])[field][0] = value
    made.load_model(bytearray(json.dumps(held).encode()))
    return made


DAMAGED: dict[str, Callable[[], Any]] = {
    "a loop": lambda: _tree(left_child=(1, 0)),
    "a node that leads to itself": lambda: _tree(left_child=(0, 0), right_child=(0, 0)),
    "out of the array": lambda: _tree(right_child=(0, 1 << 40)),
    "before the array": lambda: _tree(right_child=(0, -77)),
    "no leaf, and before the array": lambda: _tree(left_child=(0, -77)),
    "no such column": lambda: _tree(feature=(0, 1 << 30)),
    "a column before the first": lambda: _tree(feature=(0, -9)),
    "a tree of a forest": _forest,
    "a column that the forest has not": _narrow_forest,
    "a tree of the older boosting": _gradient,
    "what the older boosting begins with": _begins_with_a_tree,
    "histogram boosting": lambda: _hist("left", 0),
    "histogram boosting far away": lambda: _hist("right", 1 << 30),
    "histogram boosting of categories": lambda: _hist("bitset_idx", 9, "is_categorical"),
    "behind a calibration": _calibrated,
    "XGBoost": lambda: _xgboost("left_children", 0),
    "XGBoost far away": lambda: _xgboost("right_children", 1 << 30),
    "XGBoost's column": lambda: _xgboost("split_indices", 1 << 30),
    "XGBoost's class": lambda: _xgboost("tree_info", 9),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DAMAGED))
def test_trees_that_never_end_are_not_asked(name: str) -> None:
    """scikit-learn and XGBoost follow them for ever, or into memory that is none of theirs."""
    with pytest.raises(ArtifactError, match="the nodes of its trees are damaged: they lead"):
        check_nodes(DAMAGED[name]())


@pytest.mark.slow
def test_a_pair_of_such_trees_is_refused_where_it_is_loaded() -> None:
    """And one of a million trees, and one whose vectorizer holds no names."""
    dv, *_ = table()
    with pytest.raises(ArtifactError, match="the nodes of its trees are damaged"):
        check_pair((dv, _tree(left_child=(1, 0))), RIDE)
    many = fitted(RandomForestRegressor(1, max_depth=2))
    many.estimators_ *= 1_000_000
    with pytest.raises(ArtifactError, match="there are 1000000 trees; at most 100000 are taken"):
        check_pair((dv, many), RIDE)
    nameless = DictVectorizer().fit([{"a": 1}])
    nameless.feature_names_ = [["a"]]
    with pytest.raises(ArtifactError, match="the DictVectorizer is not fitted"):
        check_pair((nameless, linear()), RIDE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: _tree(),
        lambda: fitted(RandomForestRegressor(2)),
        lambda: fitted(GradientBoostingRegressor(n_estimators=2)),
        lambda: fitted(HistGradientBoostingRegressor(max_iter=2)),
        lambda: fitted(HistGradientBoostingRegressor(max_iter=2, categorical_features=[0])),
        lambda: fitted(XGBRegressor(n_estimators=2, n_jobs=1)),
        lambda: XGBRegressor(),
        lambda: fitted(XGBRegressor(n_estimators=2, n_jobs=1, booster="gblinear")),
        lambda: fitted(XGBRegressor(n_estimators=2, n_jobs=1, booster="dart")),
    ],
    ids=[
        "tree",
        "forest",
        "gradient",
        "hist",
        "categories",
        "xgboost",
        "unfitted",
        "linear",
        "dart",
    ],
)
@pytest.mark.filterwarnings("ignore")  # XGBoost's own, of gblinear
def test_trees_as_their_library_grew_them_are_sound(make: Callable[[], Any]) -> None:
    """Of every kind."""
    check_nodes(make())
