"""Make the compiled form of a fitted pair and proves that it answers as the pair does."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import Pipeline

from scoring.compiler import ensembles, flatten, weights
from scoring.models import Features
from scoring.scorers import Scorer, linear, tree_file, trees
from scoring.scorers.base import Kind
from scoring.scorers.sklearn import SklearnScorer

# Sums of the same numbers in another order; XGBoost's own are of 32 bits.
TOLERANCE: Final[dict[Kind, float]] = {"linear": 1e-9, "trees": 1e-6}

_THRESHOLDS: Final = 500
_QUANTITIES: Final = (0.0, 1.0, -1.0, 0.37, 2.5, 17.0, 99.9, 1234.5)


class NotCompiled(Exception):
    """The pair has no compiled form; the message says why."""


class CompiledFile(NamedTuple):
    """A compiled form as it is written beside the pair."""

    kind: Kind
    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Return the digest of the file's bytes."""
        return hashlib.sha256(self.data).hexdigest()


def compile_pair(pair: SklearnScorer, records: Sequence[Features] = ()) -> CompiledFile:
    """Return the compiled form of `pair`, which has given the scores that the pair gives: to
    `records`, and to made-up ones in which every column of the vectorizer occurs. Raises
    NotCompiled where there is no such form."""
    try:
        return _compiled(pair, records)
    except NotCompiled:
        raise
    except Exception as error:
        # a library that keeps its trees elsewhere than we look still predicts with them
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise NotCompiled(f"compiling it failed: {what}") from error


def _compiled(pair: SklearnScorer, records: Sequence[Features]) -> CompiledFile:
    if pair.vectorizer.dtype != np.float64:
        raise NotCompiled(f"its DictVectorizer makes {np.dtype(pair.vectorizer.dtype).name}")
    scorer: Scorer
    if weights.is_linear(pair.estimator):
        file = CompiledFile("linear", linear.FILE, linear.write(_linear(pair)))
        scorer = linear.read(file.data)
        quantities: tuple[float, ...] = _QUANTITIES
    else:
        file = CompiledFile("trees", tree_file.FILE, _trees(pair))
        scorer = trees.read(file.data)
        quantities = (*_QUANTITIES, *_near_thresholds(scorer))
    prove(scorer, pair, [*records, *_every_column(pair, quantities)], TOLERANCE[file.kind])
    return file


def _linear(pair: SklearnScorer) -> linear.Linear:
    names = pair.vectorizer.feature_names_
    try:
        found = weights.weights(pair.estimator, len(names))
    except weights.NotLinear as error:
        raise NotCompiled(str(error)) from error
    sign = 1.0 if pair.positive else -1.0  # log-odds of the other class are the negative
    return linear.of_columns(
        zip(names, (sign * found.columns).tolist(), strict=True),
        intercept=sign * found.intercept,
        separator=pair.vectorizer.separator,
        logistic=pair.task == "classification",
    )


def _trees(pair: SklearnScorer) -> bytes:
    estimator, columns = pair.estimator, np.arange(len(pair.vectorizer.feature_names_))
    if isinstance(estimator, Pipeline):
        *before, (_, estimator) = estimator.steps
        for _, step in before:
            columns = columns[_kept(step, len(columns))]
    importances = pair.importances()
    try:
        found = ensembles.ensemble(estimator)
        header, nodes = flatten.build_nodes(
            found if pair.positive else ensembles.of_first_class(found),
            pair.vectorizer.feature_names_,
            columns,
            pair.vectorizer.separator,
            # to XGBoost, what a sparse matrix does not hold is missing
            absent_is_missing=hasattr(estimator, "get_booster") and pair.vectorizer.sparse,
            importances=importances,
        )
    except ensembles.NotFlat as error:
        where = "in a Pipeline, " if estimator is not pair.estimator else ""
        raise NotCompiled(f"{where}{error}") from error
    return tree_file.write(header, nodes)


def _kept(step: Any, width: int) -> Any:
    """Return the columns that a step before the estimator lets through as they are."""
    if isinstance(step, VarianceThreshold):
        return np.flatnonzero(step.get_support())
    if isinstance(step, ColumnTransformer):
        parts = [(how, which) for _, how, which in step.transformers_ if how != "drop"]
        if len(parts) == 1 and isinstance(parts[0][1], slice):
            return np.arange(width)[parts[0][1]]
    raise NotCompiled(f"{type(step).__name__} before the estimator has no compiled form")


def _near_thresholds(scorer: trees.Trees) -> Iterator[float]:
    """Return some of the numbers at which the trees turn, and their neighbours."""
    numbers = len(scorer.header.numbers)
    asked = zip(scorer.nodes.group, scorer.nodes.value, strict=True)
    found = sorted({value for group, value in asked if 0 <= group < numbers})
    for value in found[:: len(found) // _THRESHOLDS + 1]:
        yield value
        yield math.nextafter(value, math.inf)


def prove(
    scorer: Scorer, pair: SklearnScorer, records: Sequence[Features], tolerance: float
) -> None:
    """Raise NotCompiled unless both give `records` the same scores, and find the same unseen."""
    (scores, new), (expected, missing) = scorer.many(records), pair.many(records)
    for place, (got, wanted) in enumerate(zip(scores, expected, strict=True)):
        same = math.isclose(got, wanted, rel_tol=tolerance, abs_tol=tolerance)
        if not same or [*new.get(place, ())] != [*missing.get(place, ())]:
            raise NotCompiled(f"compiled, it gives {got!r} where the pair gives {wanted!r}")


def _every_column(pair: SklearnScorer, quantities: Sequence[float]) -> Iterator[Features]:
    """Return made-up features: each category with each of its values and one that is new."""
    separator = pair.vectorizer.separator
    values: dict[str, list[str]] = {}
    numbers = []
    for column in pair.vectorizer.feature_names_:
        name, found, value = column.partition(separator)
        if found:
            values.setdefault(name, []).append(value)
        else:
            numbers.append(name)
    for choices in values.values():
        choices.append("a value that training never saw")
    for turn in range(max([len(quantities) * len(numbers), *map(len, values.values())])):
        made: dict[str, str | float] = dict.fromkeys(numbers, 0.0)
        if numbers:  # one at a time: together they would drive every probability to 0 or 1
            made[numbers[turn % len(numbers)]] = quantities[turn // len(numbers) % len(quantities)]
        yield made | {name: choices[turn % len(choices)] for name, choices in values.items()}
