"""From fitted trees to arrays of nodes: forests and histogram boosting of scikit-learn, XGBoost.

However an estimator rounds and compares, a node here asks "is the number at most this?" of a
float64: the thresholds are moved to where the answers are the same.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scoring.scorers.trees import MAX_NODES, Header, Nodes

Array = npt.NDArray[Any]

_NEVER = -2.0  # no category has this place in its list


class NotFlat(Exception):
    """No ensemble that can be laid out so; the message says why."""


class Tree(NamedTuple):
    """One tree, (n_nodes,) each; a leaf has the feature -1 and gives its value. An inner node goes
    left where the feature is at most its value, or is missing and `missing_left`."""

    feature: Array
    value: Array
    left: Array
    right: Array
    missing_left: Array


class Ensemble(NamedTuple):
    """Trees, and how their sum becomes a score."""

    trees: Iterator[Tree]
    nodes: int
    base: float = 0.0
    scale: float = 1.0
    logistic: bool = False
    single: bool = False


def ensemble(estimator: Any) -> Ensemble:
    """Gives the trees of a fitted estimator, or raises NotFlat."""
    name = type(estimator).__name__
    if name in ("RandomForestRegressor", "RandomForestClassifier"):
        found = _forest(estimator)
    elif name in ("HistGradientBoostingRegressor", "HistGradientBoostingClassifier"):
        found = _boosting(estimator)
    elif name in ("XGBRegressor", "XGBClassifier"):
        found = _xgboost(estimator)
    else:
        raise NotFlat(f"{name} has no compiled form")
    if found.nodes > MAX_NODES:
        raise NotFlat(f"{name} has {found.nodes} nodes; at most {MAX_NODES} are compiled")
    return found


def flat(
    found: Ensemble,
    names: Sequence[str],
    columns: Array,
    separator: str,
    *,
    absent_is_missing: bool,
    importances: list[float] | None,
) -> tuple[Header, Nodes]:
    """Gives the file's parts. `names` are the vectorizer's columns; `columns` says which of them
    the estimator's are. A category's column that is not the record's is zero to the estimator, or
    missing (`absent_is_missing`)."""
    numbers = [name for name in names if separator not in name]
    categories: dict[str, list[str]] = {}
    codes = []
    for name in names:
        head, there, value = name.partition(separator)
        if there:
            categories.setdefault(head, []).append(value)
        codes.append(len(categories[head]) - 1 if there else -1)
    places = {name: place for place, name in enumerate([*numbers, *categories])}
    group = np.array([places[name.partition(separator)[0]] for name in names])[columns]
    code = np.array(codes)[columns]
    roots, offset = [], 0
    parts: list[tuple[Array, ...]] = []
    for tree in found.trees:
        asked = _moved(tree, group, code, absent_is_missing=absent_is_missing)
        parts.append(_placed(*asked, offset, end=found.nodes))
        roots.append(offset)
        offset += len(tree.feature)
    kinds = ("h", "d", "i", "i")
    arrays = [
        _array(kind, np.concatenate(pieces))
        for kind, pieces in zip(kinds, zip(*parts, strict=True), strict=True)
    ]
    header = Header(
        link="logistic" if found.logistic else "identity",
        single=found.single,
        base=found.base,
        scale=found.scale,
        separator=separator,
        numbers=numbers,
        categories=categories,
        trees=len(roots),
        nodes=offset,
        importances=importances,
    )
    return header, Nodes(array("i", roots), *arrays)


def _moved(
    tree: Tree, group: Array, code: Array, *, absent_is_missing: bool
) -> tuple[Array, Array, Array, Array]:
    """Gives (group, value, left, right) of one tree, its nodes counted from zero."""
    inner = tree.feature >= 0
    column = np.where(inner, tree.feature, 0)
    category = inner & (code[column] >= 0)
    here = tree.value >= 1.0  # the record is of this category: its column is one
    away = tree.missing_left if absent_is_missing else tree.value >= 0.0
    same = category & (here == away)  # then the node asks nothing
    turned = category & ~away
    left = np.where(turned, tree.right, tree.left)
    right = np.where(turned, tree.left, tree.right)
    value = np.where(category, np.where(same, _NEVER, code[column]), tree.value)
    return np.where(inner, group[column], -1), value, left, right


def _placed(
    group: Array, value: Array, left: Array, right: Array, offset: int, *, end: int
) -> tuple[Array, ...]:
    """Gives one tree as the file has it: its nodes counted from `offset`, below a leaf the end."""
    inner = group >= 0
    return group, value, np.where(inner, left + offset, end), np.where(inner, right + offset, end)


def _array(kind: str, values: Array) -> array[Any]:
    made: array[Any] = array(kind)
    made.frombytes(values.astype(kind).tobytes())
    return made


def _forest(estimator: Any) -> Ensemble:
    classes = hasattr(estimator, "classes_")

    def tree(found: Any) -> Tree:
        leaf = found.children_left < 0
        given = found.value[:, 0, :]  # (n_nodes, n_classes) shares, or (n_nodes, 1)
        leaves = given[:, 1] / given.sum(axis=1) if classes else given[:, 0]
        return Tree(
            np.where(leaf, -1, found.feature),
            np.where(leaf, leaves, _at_most_32(found.threshold)),
            found.children_left,
            found.children_right,
            np.zeros(len(leaf), dtype=bool),
        )

    grown = [one.tree_ for one in estimator.estimators_]
    nodes = sum(found.node_count for found in grown)
    return Ensemble(map(tree, grown), nodes, scale=1 / len(grown))


def _boosting(estimator: Any) -> Ensemble:
    grown = [one.nodes for (one,) in estimator._predictors]  # there is no other way
    if estimator.is_categorical_ is not None:
        raise NotFlat("boosting over categorical columns has no compiled form")

    def tree(found: Any) -> Tree:
        leaf = found["is_leaf"].astype(bool)
        return Tree(
            np.where(leaf, -1, found["feature_idx"]),
            np.where(leaf, found["value"], found["num_threshold"]),
            found["left"].astype(np.int64),
            found["right"].astype(np.int64),
            found["missing_go_to_left"].astype(bool),
        )

    return Ensemble(
        map(tree, grown),
        sum(map(len, grown)),
        base=float(np.ravel(estimator._baseline_prediction)[0]),
        logistic=hasattr(estimator, "classes_"),
    )


def _xgboost(estimator: Any) -> Ensemble:
    booster = estimator.get_booster()
    learner = json.loads(booster.save_raw("json"))["learner"]
    grower = learner["gradient_booster"]
    objective = learner["objective"]["name"]
    if grower["name"] != "gbtree" or objective not in ("reg:squarederror", "binary:logistic"):
        raise NotFlat(f"XGBoost's {grower['name']} for {objective} has no compiled form")
    grown = grower["model"]["trees"]
    if stopped := booster.attr("best_iteration"):  # predictions use no later tree
        parallel = int(grower["model"]["gbtree_model_param"]["num_parallel_tree"])
        grown = grown[: (int(stopped) + 1) * parallel]
    if any(found["categories"] for found in grown):
        raise NotFlat("XGBoost over categorical columns has no compiled form")

    def tree(found: Any) -> Tree:
        left = np.array(found["left_children"])
        values = np.array(found["split_conditions"], dtype=np.float32)
        below = _at_most_32(np.nextafter(values, np.float32(-np.inf)))  # it asks: less than this?
        return Tree(
            np.where(left < 0, -1, np.array(found["split_indices"])),
            np.where(left < 0, values.astype(np.float64), below),
            left,
            np.array(found["right_children"]),
            np.array(found["default_left"]).astype(bool),
        )

    logistic = objective == "binary:logistic"
    base = float(learner["learner_model_param"]["base_score"].strip("[]"))
    return Ensemble(
        map(tree, grown),
        sum(len(found["left_children"]) for found in grown),
        base=math.log(base / (1 - base)) if logistic else base,
        logistic=logistic,
        single=True,
    )


def _at_most_32(thresholds: Array) -> Array:
    """Gives the largest float64 that is at most each threshold once it is rounded to a float32, as
    those estimators round what they compare."""
    with np.errstate(over="ignore"):
        near = np.asarray(thresholds).astype(np.float32)
        down = np.float32(-np.inf)
        near = np.where(near > thresholds, np.nextafter(near, down), near)
        above = np.nextafter(near, np.float32(np.inf)).astype(np.float64)
        middle = near.astype(np.float64) + (above - near.astype(np.float64)) / 2
        rounded: Array = np.where(
            middle.astype(np.float32) == near, middle, np.nextafter(middle, -np.inf)
        )
    return rounded
