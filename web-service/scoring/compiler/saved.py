"""The compiled form of a pair that cannot be loaded here, from what it holds alone.

There is nothing to prove it against: the caller says so in the manifest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from scoring.compiler import ensembles, flatten, weights
from scoring.compiler.compile import CompiledFile, NotCompiled
from scoring.errors import ArtifactError
from scoring.scorers import linear, tree_file, trees


def compile_saved(
    estimator: Any,
    names: Sequence[str],
    *,
    separator: str,
    task: Literal["regression", "classification"],
    positive: int = 1,
) -> CompiledFile:
    """Return the compiled form of an estimator over the columns `names`.

    `estimator` has the attributes of a fitted one of scikit-learn's, of any version since 0.24, and
    the name of its class; `positive` is the place of the positive class. Raises NotCompiled where
    there is no such form, or what it holds cannot be.
    """
    width = getattr(estimator, "n_features_in_", len(names))
    if width != len(names):
        raise NotCompiled(f"the DictVectorizer makes {len(names)} columns, the model takes {width}")
    if (task == "classification") != hasattr(_last(estimator), "classes_"):
        raise NotCompiled(f"{type(_last(estimator)).__name__} is none for a {task}")
    try:
        if weights.is_linear(estimator):
            return _linear(estimator, names, separator, task, positive)
        return _trees(estimator, names, separator, positive)
    except (weights.NotLinear, ensembles.NotFlat) as error:
        raise NotCompiled(str(error)) from error
    except ArtifactError:
        raise
    except Exception as error:  # arrays that are none, attributes that are not there
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise NotCompiled(f"what the model holds cannot be read: {what}") from error


def _linear(
    estimator: Any, names: Sequence[str], separator: str, task: str, positive: int
) -> CompiledFile:
    classes = getattr(_last(estimator), "classes_", (0, 1))
    if len(classes) != 2:
        raise NotCompiled(f"a model of {len(classes)} classes has no compiled form")
    found = weights.weights(estimator, len(names))
    sign = 1.0 if positive else -1.0
    made = linear.of_columns(
        zip(names, (sign * found.columns).tolist(), strict=True),
        intercept=sign * found.intercept,
        separator=separator,
        logistic=task == "classification",
    )
    return CompiledFile("linear", linear.FILE, linear.write(made))


def _trees(estimator: Any, names: Sequence[str], separator: str, positive: int) -> CompiledFile:
    if type(estimator).__name__ == "Pipeline":
        before = type(estimator.steps[0][1]).__name__
        raise NotCompiled(f"{before} before trees cannot be read")
    return compile_ensemble(ensembles.ensemble(estimator), names, separator, positive)


def compile_ensemble(
    found: ensembles.Ensemble, names: Sequence[str], separator: str, positive: int = 1
) -> CompiledFile:
    """Return the compiled form of trees over the columns `names`. Raises NotFlat or ArtifactError
    where they lead nowhere or are too many."""
    if found.nodes > tree_file.MAX_NODES:
        raise ensembles.NotFlat(f"its trees have {found.nodes} nodes, more than are compiled")
    header, nodes = flatten.build_nodes(
        found if positive else ensembles.of_first_class(found),
        names,
        np.arange(len(names)),
        separator,
        absent_is_missing=False,
        importances=None,
    )
    data = tree_file.write(header, nodes)
    trees.read(data)  # raises ArtifactError where a node leads nowhere
    return CompiledFile("trees", tree_file.FILE, data)


def _last(estimator: Any) -> Any:
    return estimator.steps[-1][1] if type(estimator).__name__ == "Pipeline" else estimator
