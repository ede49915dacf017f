"""LightGBM's models, which their pickles hold as a text: read as trees, without the package.

A line of a tree is a name, an equals sign and numbers. An inner node has a place in the lists; a
child that is negative is a leaf, -1 the first. It asks: is the number at most the threshold?
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from scoring.compiler.ensembles import Ensemble, NotFlat, Tree
from scoring.saved.stand_ins import StandIn, walk

_IDENTITY: Final = {"regression", "regression_l1", "huber", "fair", "quantile", "mape"}
_CATEGORICAL, _ZERO_MISSING = 1, 4  # bits of a node's decision_type


def is_lightgbm(estimator: StandIn) -> bool:
    """Say whether it stands for one of LightGBM's models."""
    return estimator.kind is not None and estimator.kind.module.partition(".")[0] == "lightgbm"


def lightgbm_trees(estimator: StandIn, width: int) -> tuple[list[Ensemble], int]:
    """Return the trees over `width` columns, of more than two classes those of each, and how many
    classes they tell apart: none, two or more.

    Raises NotFlat where there is no such form, or no text of a model.
    """
    text, best = _text(estimator)
    head, *parts = re.split(r"^Tree=\d+$", text, flags=re.MULTILINE)
    told = _lines(head)
    objective, *options = told.get("objective", "").split()
    binary = objective == "binary"
    several = objective == "multiclass"
    if not (binary or several) and (objective not in _IDENTITY or "sqrt" in options):
        raise NotFlat(f"LightGBM with the objective '{told.get('objective', '')}' cannot be read")
    if re.search(r"^average_output$", head, flags=re.MULTILINE):
        raise NotFlat("LightGBM's random forest cannot be read")
    classes = int(told.get("num_class", "1"))
    each = int(told.get("num_tree_per_iteration", "1"))  # trees of a round
    if each != (classes if several else 1):
        raise NotFlat("LightGBM's trees of a round are not one for each class")
    if int(told.get("max_feature_idx", -1)) + 1 != width:
        raise NotFlat(
            f"the DictVectorizer makes {width} columns, LightGBM's model takes "
            f"{int(told.get('max_feature_idx', -1)) + 1}"
        )
    grown = [_lines(part) for part in parts[: best * each if best > 0 else None]]
    steep = next((float(word[8:]) for word in options if word.startswith("sigmoid:")), 1.0)
    of_each = [grown[place::each] for place in range(each)]
    found = [
        Ensemble(
            _trees(some),
            sum(2 * int(one.get("num_leaves", "1")) - 1 for one in some),
            scale=steep if binary else 1.0,
            logistic=binary,
        )
        for some in of_each
    ]
    return found, classes if several else 2 * binary


def lightgbm_classes(estimator: StandIn) -> int:
    """Return how many classes its model tells apart: none, two or more. Raises NotFlat where it
    holds no text of a model."""
    told = _lines(_text(estimator)[0].partition("\nTree=")[0])
    if told.get("objective", "").startswith("multiclass"):
        return int(told.get("num_class", "1"))
    return 2 * told.get("objective", "").startswith("binary")


def _text(estimator: StandIn) -> tuple[str, int]:
    """Return the text of the booster in an estimator, and its best iteration: 0 where all count."""
    for found in walk(estimator):
        held = found.attributes if isinstance(found, StandIn) else {}
        text = held.get("_handle", held.get("handle"))
        if isinstance(text, str) and text.startswith("tree"):
            best = held.get("best_iteration", held.get("_best_iteration", 0))
            return text, best if isinstance(best, int) else 0
    raise NotFlat("LightGBM's model holds no trees: it is not fitted")


def _lines(part: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in part.splitlines())
    return {name: value for name, found, value in pairs if found}


def _trees(grown: list[dict[str, str]]) -> Iterator[Tree]:
    for told in grown:
        if told.get("num_cat", "0") != "0" or told.get("is_linear", "0") != "0":
            raise NotFlat(
                "LightGBM over categorical columns, or with linear leaves, cannot be read"
            )
        leaves = _numbers(told, "leaf_value", float)
        inner = len(leaves) - 1
        feature = _numbers(told, "split_feature", int) if inner else np.zeros(0, int)
        kinds = _numbers(told, "decision_type", int) if inner else np.zeros(0, int)
        if ((kinds & _CATEGORICAL) | (kinds & 12 == _ZERO_MISSING)).any():
            raise NotFlat("LightGBM that takes zero for missing cannot be read")
        sides = [
            _numbers(told, f"{side}_child", int) if inner else np.zeros(0, int)
            for side in ("left", "right")
        ]
        left, right = (
            np.concatenate([np.where(side < 0, inner - 1 - side, side), np.full(inner + 1, -1)])
            for side in sides
        )
        threshold = _numbers(told, "threshold", float) if inner else np.zeros(0)
        yield Tree(
            np.concatenate([feature, np.full(inner + 1, -1)]),
            np.concatenate([threshold, leaves]),
            left,
            right,
            np.zeros(2 * inner + 1, dtype=bool),
        )


def _numbers(told: dict[str, str], name: str, kind: Any) -> Any:
    return np.array([kind(word) for word in told.get(name, "").split()])
