"""The nodes of fitted trees, which scikit-learn and XGBoost follow without looking: in a file that
was changed they lead round for ever, or out of the array."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring.errors import ArtifactError

Array = npt.NDArray[Any]
MAX_TREES: Final = 100_000  # asked before any of them is looked at
DAMAGED: Final = (
    "the nodes of its trees are damaged: they lead nowhere, in a circle, or twice to one"
)


def sound(feature: Array, left: Array, right: Array, inner: Array, width: int) -> bool:
    """Say whether the nodes of a tree, (n_nodes,) each, are sound: those that are `inner` ask for
    one of `width` columns and lead to nodes behind them, each of which only one leads to, as every
    library writes them."""
    size = len(left)
    if size == 0 or {len(feature), len(right), len(inner)} != {size}:
        return False
    places = np.flatnonzero(inner)
    sides = np.stack([left[places], right[places]]).astype(np.int64)
    asked = feature[places]
    return (
        bool((asked >= 0).all() and (asked < width).all())
        and bool((sides > places).all() and (sides < size).all())
        and np.bincount(sides.ravel(), minlength=1).max() <= 1
    )


def lead_down(roots: Sequence[int], group: array[int], left: array[int], right: array[int]) -> bool:
    """Return what `tree_file` says of its nodes by itself: a million take 0.02 s here, 0.4 s there.
    Those that are no leaves, whose `group` is below 0, lead to two behind them, and no node is led
    to twice."""
    leaf = np.frombuffer(group, dtype="h") < 0
    end, place = len(leaf), np.arange(len(leaf))
    sides = [np.frombuffer(side, dtype="i") for side in (left, right)]
    for side in sides:
        if not ((side > place) & (side <= end) & ((side == end) == leaf)).all():
            return False
    if min(roots) < 0 or max(roots) >= end:
        return False
    led_to = np.bincount(np.concatenate([roots, *sides]), minlength=end)
    return bool(led_to[:end].max() <= 1)


def check_nodes(estimator: object) -> None:
    """Raise ArtifactError for an estimator with a tree, anywhere within it, whose nodes are not
    sound, and for one of too many trees."""
    try:
        whole = all(map(_is_sound, _held(estimator)))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{DAMAGED}; {type(error).__name__}") from error
    if not whole:
        raise ArtifactError(DAMAGED)


def _held(estimator: object) -> Iterator[Any]:
    """Yield an estimator and each object within it that has attributes."""
    waiting, seen = [estimator], set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list | tuple):
            waiting += found
        elif isinstance(found, np.ndarray):
            waiting += found.ravel().tolist() if found.dtype.hasobject else []
        elif not isinstance(found, type) and hasattr(found, "__dict__"):
            yield found
            waiting += vars(found).values()


def _is_sound(found: Any) -> bool:
    """Say whether the trees that an object itself asks are."""
    held = vars(found)
    for name in ("estimators_", "_predictors"):
        if (count := len(held.get(name, ()))) > MAX_TREES:
            raise ArtifactError(f"there are {count} trees; at most {MAX_TREES} are taken")
    if held.get("_Booster") is not None:  # of XGBoost; a calibration keeps one that is not fitted
        return _is_sound_booster(found.get_booster())
    grown = held.get("estimators_", ())  # of the older boosting an array
    grown = grown.ravel().tolist() if isinstance(grown, np.ndarray) else grown
    trees = [one.tree_ for one in (found, *grown) if "tree_" in vars(one)]
    # what holds the trees looks whether a table has so many columns, and they do not
    width = _whole(held["n_features_in_"]) if trees or "_predictors" in held else 0
    for tree in trees:
        left = tree.children_left
        if not sound(tree.feature, left, tree.children_right, left != -1, width):
            return False
    for stage in held.get("_predictors", ()):
        for nodes, bitsets in ((one.nodes, one.raw_left_cat_bitsets) for one in stage):
            inner, feature = nodes["is_leaf"] == 0, nodes["feature_idx"]
            named = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
            if not sound(feature, nodes["left"], nodes["right"], inner, width):
                return False
            if (named >= len(bitsets)).any():
                return False
    return True


def _is_sound_booster(booster: Any) -> bool:
    learner = json.loads(booster.save_raw("json"))["learner"]
    grower, groups = learner["gradient_booster"], int(learner["learner_model_param"]["num_class"])
    model = grower.get("model") or grower.get("gbtree", {}).get("model")  # of dart; linear has none
    if not model or "trees" not in model:
        return True
    if not all(0 <= place < max(groups, 1) for place in model["tree_info"]):
        return False
    width = booster.num_features()
    for tree in model["trees"]:
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        if not sound(np.array(tree["split_indices"]), left, right, left != -1, width):
            return False
    return True


def _whole(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer):
        raise TypeError(number)
    return int(number)
