"""CatBoost's models, in the JSON that `save_model(..., format="json")` writes, read without the
package. Where a pickle holds one, the package, if it is there, writes that JSON.

Its trees are symmetric: all nodes of a level ask the same, "is the number, in 32 bits, above the
border?". The answers are the bits of a leaf's place, the first split's the lowest.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from scoring.compiler.ensembles import Ensemble, NotFlat, Tree, at_most_32
from scoring.errors import ArtifactError
from scoring.saved.stand_ins import StandIn, walk

_IDENTITY: Final = {"RMSE", "MAE", "Quantile", "Huber", "MAPE", "Expectile", "LogCosh"}
_BINARY: Final = {"Logloss", "CrossEntropy"}
_DEEPEST: Final = 16  # CatBoost's own limit


class Grown(NamedTuple):
    """The trees of a model, of more than two classes those of each, and its classes in order, none
    of a regression."""

    trees: list[Ensemble]
    classes: tuple[Any, ...]


def is_catboost(estimator: StandIn) -> bool:
    """Say whether it stands for one of CatBoost's models."""
    return estimator.kind is not None and estimator.kind.module.partition(".")[0] == "catboost"


def catboost_trees(estimator: StandIn, width: int) -> Grown:
    """Return the trees over `width` columns.

    Raises NotFlat where they have no such form or the JSON is damaged, ArtifactError where only the
    package can read it, which is not there.
    """
    told = _json_of(estimator)
    try:
        return _grown(told, width)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise NotFlat(f"CatBoost's JSON cannot be read: {type(error).__name__}: {error}") from error


def _grown(told: dict[str, Any], width: int) -> Grown:
    if "oblivious_trees" not in told:
        raise NotFlat("CatBoost's trees that are not symmetric cannot be read")
    if told["features_info"].get("categorical_features"):
        raise NotFlat("CatBoost over categorical columns cannot be read")
    takes = len(told["features_info"]["float_features"])
    if takes != width:
        raise NotFlat(f"the DictVectorizer makes {width} columns, CatBoost's model takes {takes}")
    loss = told["model_info"]["params"]["loss_function"]["type"]
    names = tuple(told["model_info"].get("class_params", {}).get("class_names", ()))
    scale, biases = told["scale_and_bias"]
    known = {**dict.fromkeys(_IDENTITY, 0), **dict.fromkeys(_BINARY, 2), "MultiClass": len(names)}
    if loss not in known or known[loss] != len(names) or len(names) == 1:
        raise NotFlat(f"CatBoost for the loss {loss} cannot be read")
    many = len(names) if len(names) > 2 else 1
    if len(biases) != many:
        raise NotFlat(f"CatBoost's model has {len(biases)} numbers to begin with, not {many}")
    found = [
        Ensemble(
            iter([*_trees(told["oblivious_trees"], place, many)]),
            sum(2 ** (_depth(one) + 1) - 1 for one in told["oblivious_trees"]),
            base=float(bias),
            scale=float(scale),
            logistic=len(names) == 2,
        )
        for place, bias in enumerate(biases)
    ]
    return Grown(found, names)


def _depth(tree: dict[str, Any]) -> int:
    depth = len(tree["splits"] or ())
    if depth > _DEEPEST:
        raise NotFlat(f"a tree of {depth} levels is none of CatBoost's")
    return depth


def _trees(grown: Sequence[dict[str, Any]], place: int, many: int) -> Iterator[Tree]:
    for one in grown:
        depth, splits = _depth(one), one["splits"] or ()
        if any(split["split_type"] != "FloatFeature" for split in splits):
            raise NotFlat("CatBoost over categorical columns cannot be read")
        leaves = np.array(one["leaf_values"], dtype=np.float64)
        if len(leaves) != many << depth:
            raise NotFlat("CatBoost's leaves are not as many as its splits say")
        # as a heap, whose levels ask from the highest bit of a leaf's place to the lowest
        inner = (1 << depth) - 1
        level = [split for n, split in enumerate(reversed(splits)) for _ in range(1 << n)]
        nodes = np.arange(inner)
        ends = np.full(inner + 1, -1)
        borders = at_most_32(np.array([float(split["border"]) for split in level]))
        features = [int(split["float_feature_index"]) for split in level]
        yield Tree(
            np.concatenate([np.array(features, dtype=np.int64), ends]),
            np.concatenate([borders, leaves[place::many]]),
            np.concatenate([2 * nodes + 1, ends]),
            np.concatenate([2 * nodes + 2, ends]),
            np.zeros(2 * inner + 1, dtype=bool),
        )


def _json_of(estimator: StandIn) -> dict[str, Any]:
    data = estimator.attributes.get("json")
    data = _written(estimator) if data is None else data
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotFlat(f"CatBoost's JSON cannot be read: {type(error).__name__}") from error
    if not isinstance(told, dict):
        raise NotFlat("CatBoost's JSON cannot be read: it is no object")
    return told


def _written(estimator: StandIn) -> bytes:
    """Return the JSON that the package writes of the model in a pickle."""
    kind = estimator.kind.name if estimator.kind else "model"
    blob = next(
        (
            found.attributes["__model"]
            for found in walk(estimator)
            if isinstance(found, StandIn) and isinstance(found.attributes.get("__model"), bytes)
        ),
        None,
    )
    if blob is None:
        raise NotFlat(f"{kind} holds no trees: it is not fitted")
    if importlib.util.find_spec("catboost") is None:
        raise ArtifactError(
            f"the model is CatBoost's {kind}: install catboost here, as it alone can read its "
            "pickle, or write it where it was made with model.save_model('model.json', "
            "format='json') and give that file beside the DictVectorizer's"
        )
    import catboost  # type: ignore[import-not-found]  # where it is there

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            catboost.CatBoost().load_model(blob=blob).save_model(str(path), format="json")
            return path.read_bytes()
        except catboost.CatBoostError as error:
            what = " ".join(str(error).split())[:200]
            raise NotFlat(f"CatBoost {catboost.__version__} cannot read it: {what}") from error
