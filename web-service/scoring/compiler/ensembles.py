"""The trees of a fitted estimator: decision trees, forests and boosting of scikit-learn, XGBoost.

An estimator is read by its attributes alone, with those of every version of scikit-learn since
0.24: what cannot be loaded any more, and is only looked at, is read alike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sized
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from scoring.compiler.calibrated import Sigmoid
from scoring.scorers.tree_file import MAX_NODES
from scoring.scorers.tree_nodes import MAX_TREES
from scoring.values.shares import Link

Array = npt.NDArray[Any]
Trees = TypeVar("Trees", bound=Sized)


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


def ensemble(estimator: Any, of: int | None = None) -> Ensemble:
    """Return the trees of a fitted estimator, or raise NotFlat.

    Where it tells several classes apart, these are the trees of the class at the place `of`, and
    their sum is what `link_of` makes a probability of.
    """
    name = type(estimator).__name__
    if (read := _READERS.get(name)) is None:
        raise NotFlat(f"{name} has no compiled form")
    found = read(estimator, of)
    if found.nodes > MAX_NODES:
        raise NotFlat(f"{name} has {found.nodes} nodes; at most {MAX_NODES} are compiled")
    return found


def link_of(estimator: Any) -> Link:
    """Return how an estimator of several classes makes probabilities of its trees' sums."""
    boosted = "Boosting" in type(estimator).__name__ or hasattr(estimator, "get_booster")
    return "softmax" if boosted else "shares"


def of_first_class(found: Ensemble) -> Ensemble:
    """Return the ensemble whose score is the probability of the other one of two classes, or raise
    NotFlat."""
    if found.single:  # a sum of 32 bits from another base is rounded otherwise
        raise NotFlat("XGBoost with its positive class first has no compiled form")
    base = -found.base if found.logistic else 1 - found.base
    return found._replace(base=base, scale=-found.scale)


def behind_sigmoid(found: Ensemble, sigmoid: Sigmoid) -> Ensemble:
    """Return the ensemble whose score, log-odds or a share, goes through a calibration's sigmoid;
    raise NotFlat where it has no such form."""
    if found.single:  # its score is a probability, and a sigmoid of one is none of a sum
        raise NotFlat("XGBoost behind a calibration has no compiled form")
    base = -sigmoid.slope * found.base - sigmoid.offset
    return found._replace(base=base, scale=-sigmoid.slope * found.scale, logistic=True)


def _forest(estimator: Any, of: int | None) -> Ensemble:
    """Of a decision tree, or of several whose predictions are averaged."""
    grown = [one.tree_ for one in _few(getattr(estimator, "estimators_", [estimator]))]
    share = 1 if _two_classes(estimator, of) else of
    trees = (_binary_tree(found, share) for found in grown)
    return Ensemble(trees, sum(found.node_count for found in grown), scale=1 / len(grown))


def _few(trees: Trees) -> Trees:
    if len(trees) > MAX_TREES:
        raise NotFlat(f"there are {len(trees)} trees; at most {MAX_TREES} are compiled")
    return trees


def _binary_tree(found: Any, share: int | None = None) -> Tree:
    """Return a tree of scikit-learn's: of the share that the class at the place `share` has."""
    leaf = found.children_left < 0
    given = found.value[:, 0, :]  # (n_nodes, n_classes) shares or counts, or (n_nodes, 1)
    if found.value.shape[1] != 1 or (given.shape[1] == 1) != (share is None):
        raise NotFlat("a tree of several outputs has no compiled form")
    leaves = given[:, 0] if share is None else given[:, share] / given.sum(axis=1)
    return Tree(
        np.where(leaf, -1, found.feature),
        np.where(leaf, leaves, at_most_32(found.threshold)),
        found.children_left,
        found.children_right,
        np.zeros(len(leaf), dtype=bool),
    )


def _two_classes(estimator: Any, of: int | None) -> bool:
    """Say whether it tells two classes apart; raise NotFlat where it knows more, and none of them
    is asked for."""
    if of is not None:
        return False
    classes = getattr(estimator, "classes_", None)
    if classes is not None and len(classes) != 2:
        raise NotFlat(f"{type(estimator).__name__} of {len(classes)} classes has no compiled form")
    return classes is not None


def _gradient(estimator: Any, of: int | None) -> Ensemble:
    """Of the older boosting: what it begins with, and trees of log-odds or of the value."""
    classes = _two_classes(estimator, of)
    loss, rate = estimator.loss, float(estimator.learning_rate)
    # the exponential loss counts in halves of log-odds
    doubled = 2.0 if classes and loss == "exponential" else 1.0
    stages = np.asarray(estimator.estimators_)  # (n_stages, n_classes), one of two classes
    grown = [one.tree_ for one in _few(stages.ravel() if of is None else stages[:, of])]
    return Ensemble(
        map(_binary_tree, grown),
        sum(found.node_count for found in grown),
        base=_beginning(estimator, of, classes=classes),
        scale=doubled * rate,
        logistic=classes,
    )


def _beginning(estimator: Any, of: int | None, *, classes: bool) -> float:
    begin = estimator.init_
    name = type(begin).__name__
    if name == "str" and begin == "zero":
        return 0.0
    if name == "DummyRegressor" and not classes and of is None:
        return float(np.ravel(begin.constant_)[0])
    if name == "DummyClassifier" and begin.strategy == "prior":
        least = float(np.finfo(np.float32).eps)
        share = min(max(float(begin.class_prior_[1 if of is None else of]), least), 1 - least)
        if of is not None:
            return math.log(share)
        return math.log(share / (1 - share))  # halved for the exponential loss, and doubled again
    raise NotFlat(f"{type(estimator).__name__} that begins with {name} has no compiled form")


_IDENTITY: Final = {"squared_error", "least_squares", "absolute_error",
                    "least_absolute_deviation", "quantile"}  # fmt: skip


def _boosting(estimator: Any, of: int | None) -> Ensemble:
    """Of histogram boosting."""
    classes = _two_classes(estimator, of)
    if not classes and of is None and estimator.loss not in _IDENTITY:
        raise NotFlat(f"boosting with the loss {estimator.loss} has no compiled form")
    # there is no other way; a stage has a tree for each class, one of two classes
    grown = [stage[of or 0].nodes for stage in _few(estimator._predictors)]
    if getattr(estimator, "is_categorical_", None) is not None:
        raise NotFlat("boosting over categorical columns has no compiled form")

    def tree(found: Any) -> Tree:
        leaf = found["is_leaf"].astype(bool)
        return Tree(
            np.where(leaf, -1, found["feature_idx"].astype(np.int64)),
            np.where(leaf, found["value"], found["num_threshold"]),
            found["left"].astype(np.int64),
            found["right"].astype(np.int64),
            found["missing_go_to_left"].astype(bool),
        )

    return Ensemble(
        map(tree, grown),
        sum(map(len, grown)),
        base=float(np.ravel(estimator._baseline_prediction)[of or 0]),
        logistic=classes,
    )


_OBJECTIVES: Final = ("reg:squarederror", "binary:logistic")
_OF_CLASSES: Final = ("multi:softprob", "multi:softmax")


def _xgboost(estimator: Any, of: int | None) -> Ensemble:
    booster = estimator.get_booster()
    learner = json.loads(booster.save_raw("json"))["learner"]
    grower = learner["gradient_booster"]
    objective = learner["objective"]["name"]
    known = _OBJECTIVES if of is None else _OF_CLASSES
    if grower["name"] != "gbtree" or objective not in known:
        raise NotFlat(f"XGBoost's {grower['name']} for {objective} has no compiled form")
    grown, classes = _few(grower["model"]["trees"]), grower["model"]["tree_info"]
    if stopped := booster.attr("best_iteration"):  # predictions use no later tree
        parallel = int(grower["model"]["gbtree_model_param"]["num_parallel_tree"])
        parallel *= 1 if of is None else len(estimator.classes_)
        grown = grown[: (int(stopped) + 1) * parallel]
    if of is not None:
        grown = [one for one, place in zip(grown, classes, strict=False) if place == of]
    if any(found["categories"] for found in grown):
        raise NotFlat("XGBoost over categorical columns has no compiled form")

    def tree(found: Any) -> Tree:
        left = np.array(found["left_children"])
        values = np.array(found["split_conditions"], dtype=np.float32)
        below = at_most_32(np.nextafter(values, np.float32(-np.inf)))  # it asks: less than this?
        return Tree(
            np.where(left < 0, -1, np.array(found["split_indices"])),
            np.where(left < 0, values.astype(np.float64), below),
            left,
            np.array(found["right_children"]),
            np.array(found["default_left"]).astype(bool),
        )

    logistic = objective == "binary:logistic"
    begin = [*map(float, learner["learner_model_param"]["base_score"].strip("[]").split(","))]
    base = begin[of if of is not None and len(begin) > 1 else 0]
    return Ensemble(
        map(tree, grown),
        sum(len(found["left_children"]) for found in grown),
        base=math.log(base / (1 - base)) if logistic else base,
        logistic=logistic,
        single=True,
    )


def at_most_32(thresholds: Array) -> Array:
    """Return the largest float64 that is at most each threshold once it is rounded to a float32, as
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


_READERS: Final[dict[str, Callable[[Any, int | None], Ensemble]]] = {
    **dict.fromkeys(
        [f"{kind}{task}" for kind in ("DecisionTree", "ExtraTree", "ExtraTrees", "RandomForest")
         for task in ("Regressor", "Classifier")], _forest
    ),
    **dict.fromkeys(["GradientBoostingRegressor", "GradientBoostingClassifier"], _gradient),
    **dict.fromkeys(["HistGradientBoostingRegressor", "HistGradientBoostingClassifier"], _boosting),
    **dict.fromkeys(["XGBRegressor", "XGBClassifier"], _xgboost),
}  # fmt: skip
