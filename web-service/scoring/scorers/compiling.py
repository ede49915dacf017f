"""Makes the compiled form of a fitted pair and proves that it answers as the pair does."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from scoring.models import Features, Model
from scoring.scorers import Kind, Scorer, linear
from scoring.scorers.pair import Pair

# Sums of the same numbers in another order: far below what anybody can see.
TOLERANCE: Final = 1e-9

_LINEAR: Final = {"ElasticNet", "Lasso", "LinearRegression", "LogisticRegression", "Ridge"}
_QUANTITIES: Final = (0.0, 1.0, -1.0, 0.37, 2.5, 17.0, 99.9, 1234.5)


class NotCompiled(Exception):
    """The pair has no compiled form; the message says why."""


class File(NamedTuple):
    """A compiled form as it is written beside the pair."""

    kind: Kind
    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def compiled(pair: Pair, model: Model, records: Sequence[Features] = ()) -> File:
    """Gives the compiled form of `pair`, which has given the scores that the pair gives: to
    `records`, and to made-up ones in which every column of the vectorizer occurs. Raises
    NotCompiled where there is no such form."""
    name = type(pair.estimator).__name__
    if pair.vectorizer.dtype != np.float64:
        raise NotCompiled(f"its DictVectorizer makes {np.dtype(pair.vectorizer.dtype).name}")
    if name not in _LINEAR or np.ndim(pair.estimator.intercept_) > (model.task == "classification"):
        raise NotCompiled(f"{name} has no compiled form")
    made = pair.linear()
    assert made is not None  # noqa: S101  # for the type checker: its name is that of a linear one
    data = linear.write(made)
    prove(linear.read(data), pair, [*records, *_every_column(pair)], TOLERANCE)
    return File("linear", linear.FILE, data)


def prove(scorer: Scorer, pair: Pair, records: Sequence[Features], tolerance: float) -> None:
    """Raises NotCompiled unless both give `records` the same scores, and find the same unseen."""
    (scores, new), (expected, missing) = scorer.many(records), pair.many(records)
    for place, (got, wanted) in enumerate(zip(scores, expected, strict=True)):
        same = math.isclose(got, wanted, rel_tol=tolerance, abs_tol=tolerance)
        if not same or [*new.get(place, ())] != [*missing.get(place, ())]:
            raise NotCompiled(f"compiled, it gives {got!r} where the pair gives {wanted!r}")


def _every_column(pair: Pair) -> Iterator[Features]:
    """Gives made-up features: each category with each of its values and one that is new."""
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
    for turn in range(max([len(_QUANTITIES) * len(numbers), *map(len, values.values())])):
        made: dict[str, str | float] = dict.fromkeys(numbers, 0.0)
        if numbers:  # one at a time: together they would drive every probability to 0 or 1
            made[numbers[turn % len(numbers)]] = _QUANTITIES[
                turn // len(numbers) % len(_QUANTITIES)
            ]
        yield made | {name: choices[turn % len(choices)] for name, choices in values.items()}
