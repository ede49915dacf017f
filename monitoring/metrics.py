"""Metrics of predictions whose truth is known, each with the interval of 19 of 20 such samples.

Means have the interval of the central limit theorem, a root that of what is under it, shares that
of Wilson (1927), the area under the curve that of DeLong, DeLong and Clarke-Pearson (1988).
Predictions are taken as drawn one by one: where they move together, intervals are too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from monitoring.chance import normal_above, ranks
from scoring.profiles.numbers import Array

_Z: Final = 1.96
_BINS: Final = 10


class Measured(NamedTuple):
    """A metric, and between what it lies."""

    metric: str
    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self._asdict(), "kind": "realised"}


class Sums(NamedTuple):
    """Sums over a group of predictions: of errors, and of their second and fourth powers."""

    rows: int
    error: float
    squared: float
    fourth: float

    def metrics(self, *, is_class: bool) -> list[Measured]:
        """Return RMSE, or of a class the Brier score, and bias of one or more predictions."""
        n = self.rows
        loss, bias = self.squared / n, self.error / n
        if n > 1:
            half = _Z * sqrt(max(0.0, self.fourth / n - loss**2) / (n - 1))
            off = _Z * sqrt(max(0.0, loss - bias**2) / (n - 1))
        else:
            half = off = float("inf")
        told = Measured("bias", bias, bias - off, bias + off)
        if is_class:
            return [Measured("brier", loss, max(0.0, loss - half), loss + half), told]
        low, high = sqrt(max(0.0, loss - half)), sqrt(loss + half)
        return [Measured("rmse", sqrt(loss), low, high), told]

    def without(self, other: Sums) -> Sums:
        """Return the sums of what is not in the other."""
        return Sums(
            self.rows - other.rows, self.error - other.error, self.squared - other.squared,
            self.fourth - other.fourth,
        )  # fmt: skip

    def unlike(self, other: Sums) -> float:
        """Return the probability of mean squares as far apart as these two, were they one (Welch
        1947); 1 where either has less than two rows."""
        if min(self.rows, other.rows) < 2:
            return 1.0
        spread = 0.0
        for one in (self, other):
            n = one.rows
            spread += max(0.0, one.fourth / n - (one.squared / n) ** 2) / (n - 1)
        apart = abs(self.squared / self.rows - other.squared / other.rows)
        if not spread:
            return 0.0 if apart else 1.0
        return 2 * normal_above(apart / sqrt(spread))


class Confusion(NamedTuple):
    """Rows by what was said at the threshold, and what came true."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


class Calibrated(NamedTuple):
    """Predictions of about one score: their mean score and mean truth, and where that lies."""

    rows: int
    score: float
    actual: float
    low: float
    high: float


def of_numbers(score: Array, actual: Array) -> list[Measured]:
    """Return RMSE, MAE and bias (score minus truth) of one or more predictions."""
    error = score - actual
    squared = mean("mse", np.square(error))
    low, high = max(squared.low, 0.0), squared.high
    return [
        Measured("rmse", sqrt(squared.value), sqrt(low), sqrt(high)),
        mean("mae", np.abs(error)),
        mean("bias", error),
    ]


def of_class(score: Array, actual: Array, threshold: float) -> list[Measured]:
    """Return AUC (where both classes came), Brier score, accuracy, precision and recall (where they
    exist) of one or more probabilities."""
    found = [] if (curve := auc(score, actual)) is None else [curve]
    found += [mean("brier", np.square(score - actual)), mean("bias", score - actual)]
    c = confusion(score, actual, threshold)
    for name, some, of in (
        ("accuracy", c.true_positive + c.true_negative, len(score)),
        ("precision", c.true_positive, c.true_positive + c.false_positive),
        ("recall", c.true_positive, c.true_positive + c.false_negative),
    ):
        if of:
            found.append(share(name, some, of))
    return found


def mean(name: str, values: Array) -> Measured:
    """Return a mean with its interval; that of a single value is all numbers."""
    value = float(values.mean())
    half = _Z * float(values.std(ddof=1)) / sqrt(len(values)) if len(values) > 1 else float("inf")
    return Measured(name, value, value - half, value + half)


def share(name: str, some: int, of: int) -> Measured:
    """Return `some` of one or more with its interval."""
    p, z2 = some / of, _Z**2
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * sqrt(p * (1 - p) / of + z2 / (4 * of**2))
    # not beyond the share itself, by rounding
    return Measured(name, p, max(0.0, min(middle - half, p)), min(1.0, max(middle + half, p)))


def auc(score: Array, actual: Array) -> Measured | None:
    """Return how often a positive has the higher score of a pair; None of one class alone."""
    positive = actual == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return None
    every = ranks(score)
    ours, theirs = score[positive], score[~positive]
    above = (every[positive] - ranks(ours)) / n  # negatives below each positive
    below = 1 - (every[~positive] - ranks(theirs)) / m
    value = float(above.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (above, below) if len(part) > 1)
    half = _Z * sqrt(variance) if min(m, n) > 1 else 1.0
    return Measured("auc", value, max(0.0, value - half), min(1.0, value + half))


def confusion(score: Array, actual: Array, threshold: float) -> Confusion:
    """Return the rows by what is said at the threshold."""
    said, true = score >= threshold, actual == 1
    return Confusion(
        int((said & true).sum()), int((said & ~true).sum()), int((~said & true).sum()),
        int((~said & ~true).sum()),
    )  # fmt: skip


def calibration(score: Array, actual: Array, *, is_class: bool) -> list[Calibrated]:
    """Return the predictions in at most ten bins of about equally many, by their score."""
    order = np.argsort(score, kind="stable")
    found = []
    for part in np.array_split(order, min(_BINS, len(order))):
        true = actual[part]
        told = share("", int(true.sum()), len(true)) if is_class else mean("", true)
        found.append(
            Calibrated(len(part), float(score[part].mean()), told.value, told.low, told.high)
        )
    return found


def by_group(codes: Array, many: int, score: Array, actual: Array) -> list[Sums]:
    """Return the sums of each of the codes 0 to `many` - 1; others are left out."""
    inside = codes >= 0
    codes, error = codes[inside], (score - actual)[inside]
    columns = [np.bincount(codes, minlength=many)]
    columns += [np.bincount(codes, weights=error**power, minlength=many) for power in (1, 2, 4)]
    return [Sums(int(n), *map(float, sums)) for n, *sums in zip(*columns, strict=True)]


def worse_than(values: Array, before: float, rows: int) -> float:
    """Return the probability of a mean of these values as large, were it `before`, which is itself
    known by so many rows of the same spread."""
    if len(values) < 2 or not rows:
        return 1.0
    spread = float(values.std(ddof=1)) * sqrt(1 / len(values) + 1 / rows)
    above = float(values.mean()) - before
    if not spread:
        return 0.0 if above > 0 else 1.0
    return normal_above(above / spread)


def named(found: Sequence[Measured], metric: str) -> Measured | None:
    """Return the metric of this name, None where it is not there."""
    return next((one for one in found if one.metric == metric), None)
