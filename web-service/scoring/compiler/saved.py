"""The compiled form of a pair that cannot be loaded here, from what it holds alone.

There is nothing to prove it against: the caller says so in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from scoring.compiler import ensembles, flatten, weights
from scoring.compiler.compile import CompiledFile, NotCompiled
from scoring.errors import ArtifactError
from scoring.scorers import linear, tree_file, trees
from scoring.scorers.classes import FILE, Classes, Part, write
from scoring.values.shares import Link


def compile_saved(
    estimator: Any,
    names: Sequence[str],
    *,
    separator: str,
    task: Literal["regression", "classification"],
    positive: int = 1,
    classes: Mapping[str, int] | None = None,
) -> CompiledFile:
    """Return the compiled form of an estimator over the columns `names`.

    `estimator` has the attributes of a fitted one of scikit-learn's, of any version since 0.24, and
    the name of its class; `positive` is the place of the positive class; of more than two,
    `classes` are the places of all. Raises NotCompiled where there is no such form, or what it
    holds cannot be.
    """
    width = getattr(estimator, "n_features_in_", len(names))
    if width != len(names):
        raise NotCompiled(f"the DictVectorizer makes {len(names)} columns, the model takes {width}")
    if (task == "classification") != hasattr(_last(estimator), "classes_"):
        raise NotCompiled(f"{type(_last(estimator)).__name__} is none for a {task}")
    try:
        if weights.is_linear(estimator):
            if classes:
                parts = [_weights(estimator, names, separator, at) for at in classes.values()]
                return several(parts, classes, weights.link_of(estimator))
            return _linear(estimator, names, separator, task, positive)
        _check_alone(estimator)
        if classes:
            grown = [ensembles.ensemble(estimator, place) for place in classes.values()]
            return compile_classes(grown, names, separator, classes, ensembles.link_of(estimator))
        return compile_ensemble(ensembles.ensemble(estimator), names, separator, positive)
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


def _weights(estimator: Any, names: Sequence[str], separator: str, of: int) -> linear.Linear:
    found = weights.weights(estimator, len(names), of)
    return linear.of_columns(
        zip(names, found.columns.tolist(), strict=True),
        intercept=found.intercept,
        separator=separator,
        logistic=False,
    )


def _check_alone(estimator: Any) -> None:
    if type(estimator).__name__ == "Pipeline":
        before = type(estimator.steps[0][1]).__name__
        raise NotCompiled(f"{before} before trees cannot be read")


def several(parts: Sequence[Part], classes: Iterable[str], link: Link) -> CompiledFile:
    """Return the compiled form of several classes, of a part for each."""
    made = Classes(parts, tuple(classes), link)
    return CompiledFile("classes", FILE, write(made))


def compile_classes(
    grown: Sequence[ensembles.Ensemble],
    names: Sequence[str],
    separator: str,
    classes: Iterable[str],
    link: Link,
) -> CompiledFile:
    """Return the compiled form of several classes, each with trees over the columns `names`."""
    files = [compile_ensemble(found, names, separator).data for found in grown]
    return several([trees.read(file) for file in files], classes, link)


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
