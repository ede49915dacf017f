"""Make the compiled form of a fitted pair and proves that it answers as the pair does."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import Pipeline

from scoring.compiler import calibrated, encoders, ensembles, flatten, steps, weights
from scoring.models import Features
from scoring.scorers import Scorer, classes, linear, means, tree_file, trees
from scoring.scorers.base import Kind
from scoring.scorers.sklearn import SklearnScorer
from scoring.values.shares import numbers_of

# Sums of the same numbers in another order; XGBoost's own are of 32 bits.
TOLERANCE: Final = {"linear": 1e-9, "trees": 1e-6}

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


def compile_pair(
    pair: SklearnScorer, records: Sequence[Features] = (), often: Sequence[Features] = ()
) -> CompiledFile:
    """Return the compiled form of `pair`, which has given the scores that the pair gives: to
    `records`, and to made-up ones in which every column of the vectorizer occurs. Of the categories
    `often`, those of the most records first, a `scorer.means` has the scores. Raises
    NotCompiled where there is no such form."""
    try:
        return _compiled(pair, records, often)
    except NotCompiled:
        raise
    except Exception as error:
        # a library that keeps its trees elsewhere than we look still predicts with them
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise NotCompiled(f"compiling it failed: {what}") from error


def _compiled(
    pair: SklearnScorer, records: Sequence[Features], often: Sequence[Features]
) -> CompiledFile:
    if pair.vectorizer.dtype != np.float64:
        raise NotCompiled(f"its DictVectorizer makes {np.dtype(pair.vectorizer.dtype).name}")
    of: Literal["linear", "trees"] = "linear" if weights.is_linear(pair.estimator) else "trees"
    scorer: Scorer
    if pair.classes:
        scorer = _of_classes(pair, of)
        file = CompiledFile("classes", classes.FILE, classes.write(scorer))
        scorer = classes.read(file.data)
        grown = [part for part in scorer.parts if isinstance(part, trees.Trees)]
    elif encoders.is_encoded(pair.estimator):
        file = CompiledFile("means", means.FILE, steps.with_steps(_means(pair), often))
        scorer = means.read(file.data)
        grown = [scorer.trees]
    elif of == "linear":
        file = CompiledFile("linear", linear.FILE, linear.write(_linear(pair)))
        scorer, grown = linear.read(file.data), []
    else:
        file = CompiledFile("trees", tree_file.FILE, _trees(pair))
        scorer = trees.read(file.data)
        grown = [scorer]
    quantities = (*_QUANTITIES, *(value for one in grown for value in _near_thresholds(one)))
    prove(scorer, pair, [*records, *_every_column(pair, quantities)], TOLERANCE[of])
    return file


def _of_classes(pair: SklearnScorer, of: Literal["linear", "trees"]) -> classes.Classes:
    """Return the scorer of several classes, in the order of the model's."""
    if of == "linear":
        parts: list[classes.Part] = [_linear(pair, place) for place in pair.places]
        return classes.Classes(parts, pair.classes, weights.link_of(pair.estimator))
    parts = [trees.read(_trees(pair, place)) for place in pair.places]
    last = getattr(pair.estimator, "steps", [("", pair.estimator)])[-1][1]
    return classes.Classes(parts, pair.classes, ensembles.link_of(last))


def _linear(pair: SklearnScorer, of: int | None = None) -> linear.Linear:
    names = pair.vectorizer.feature_names_
    try:
        found = weights.weights(pair.estimator, len(names), of)
    except weights.NotLinear as error:
        raise NotCompiled(str(error)) from error
    sign = 1.0 if pair.positive else -1.0  # log-odds of the other class are the negative
    return linear.of_columns(
        zip(names, (sign * found.columns).tolist(), strict=True),
        intercept=sign * found.intercept,
        separator=pair.vectorizer.separator,
        logistic=pair.task == "classification" and of is None,
    )


def _trees(pair: SklearnScorer, of: int | None = None) -> bytes:
    estimator, sigmoid = calibrated.behind(pair.estimator)
    columns = np.arange(len(pair.vectorizer.feature_names_))
    if isinstance(estimator, Pipeline):
        *before, (_, estimator) = estimator.steps
        for _, step in before:
            columns = columns[_kept(step, len(columns))]
    importances = pair.importances()
    try:
        found = ensembles.ensemble(estimator, of)
        if sigmoid is not None:
            found = ensembles.behind_sigmoid(found, sigmoid)
        header, nodes = flatten.build_nodes(
            found if pair.positive else ensembles.of_first_class(found),
            pair.vectorizer.feature_names_,
            columns,
            pair.vectorizer.separator,
            # to XGBoost, what a sparse matrix does not hold is missing
            absent_is_missing=hasattr(estimator, "get_booster") and pair.vectorizer.sparse,
            may_be_absent=pair.may_be_absent,
            importances=importances,
        )
    except ensembles.NotFlat as error:
        where = "in a Pipeline, " if estimator is not pair.estimator else ""
        raise NotCompiled(f"{where}{error}") from error
    return tree_file.write(header, nodes)


def _means(pair: SklearnScorer) -> bytes:
    try:
        found = encoders.encoded(pair.vectorizer, pair.estimator)
        header, nodes = flatten.build_nodes(
            ensembles.ensemble(pair.estimator.steps[-1][1]),
            found.names,
            np.arange(len(found.names)),
            pair.vectorizer.separator,
            absent_is_missing=False,
            importances=None,
        )
    except ensembles.NotFlat as error:
        raise NotCompiled(f"in a Pipeline, {error}") from error
    return means.write(found.header, tree_file.write(header, nodes))


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
        each = zip(numbers_of(got), numbers_of(wanted), strict=True)
        same = all(math.isclose(*two, rel_tol=tolerance, abs_tol=tolerance) for two in each)
        if not same or [*new.get(place, ())] != [*missing.get(place, ())]:
            raise NotCompiled(f"compiled, it gives {got!r} where the pair gives {wanted!r}")


def _every_column(pair: SklearnScorer, quantities: Sequence[float]) -> Iterator[Features]:
    """Return made-up features: each category with each of its values and one that is new,
    and records without what they may lack."""
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
    # what XGBoost takes for missing is not zero
    usual = dict.fromkeys(numbers, 1.0) | {name: choices[0] for name, choices in values.items()}
    for gone in sorted(pair.may_be_absent):
        yield {name: value for name, value in usual.items() if name != gone}
    yield {name: value for name, value in usual.items() if name not in pair.may_be_absent}
