"""How good the predictions of a window should be, before any truth is there.

The error at each size of the score is that of the training's held-out rows; what changes is how
often each size comes. So an estimate follows a shift of what is asked, not a change of how the
truth follows from it. For probabilities it is CBPE (confidence-based performance estimation,
NannyML): a prediction of 0.8 comes true as often as such predictions did then, so that of those at
or above the threshold so many are right, and so many of the others are missed; AUC is that of all
pairs of an expected positive and an expected negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np

from monitoring.metrics import Confusion
from scoring.profiles.numbers import Array, Numbers, edge, middle
from scoring.profiles.performance import Errors, Performance

_Z: Final = 1.96


@dataclass(frozen=True)
class Estimate:
    """A metric of the window as it is expected, and as it was on the held-out rows."""

    metric: str  # rmse; of a class brier and accuracy, of two also auc, precision, recall
    expected: float
    was: float
    within: float  # half of the interval in which 19 of 20 such windows lie, by their rows alone

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"metric": self.metric, "expected": self.expected, "was": self.was,
                "within": self.within, "kind": "estimated"}  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What is expected of a window: its metrics, and of a class what comes true of what is said."""

    metrics: Sequence[Estimate]  # RMSE or Brier score first
    confusion: Confusion | None = None

    @property
    def main(self) -> Estimate:
        """RMSE, or of a class the Brier score."""
        return self.metrics[0]


def expected(
    performance: Performance,
    held_out: Numbers,
    score: Numbers,
    *,
    is_class: bool,
    threshold: float | None = None,
) -> Expected | None:
    """Return what is expected of predictions with these scores; None where there are none, or they
    lie in bins of which nothing is known. `held_out` are the scores that `performance` is of; AUC
    and what depends on a threshold is that of a class with one. Without one the score of a class is
    how likely the class is that is said, and its accuracy how often that comes true."""
    main = estimate(performance, score, is_class=is_class)
    if main is None:
        return None
    if not is_class:
        return Expected([main])
    if threshold is None:
        right, was_right = (_right(performance, one) for one in (score, held_out))
        within = _Z * sqrt(right * (1 - right) / score.count)
        return Expected([main, Estimate("accuracy", right, was_right, within)])
    now, was = (_shares(performance, one, threshold) for one in (score, held_out))
    found = [main]
    for name, (value, rows) in _metrics(now).items():
        if (before := _metrics(was).get(name)) is not None:
            within = _hanley(value, now) if name == "auc" else sqrt(value * (1 - value) / rows)
            found.append(Estimate(name, value, before[0], _Z * within))
    counts = (round(float(some.sum())) for some in now)
    return Expected(found, Confusion(*counts))


Shares = tuple[Array, Array, Array, Array]  # rows by size of the score, as Confusion has them


def _shares(performance: Performance, score: Numbers, threshold: float) -> Shares:
    """Return how many rows of each size of the score are expected to be what."""
    true = _true(performance, score)
    ends = np.array([(edge(cell, score.scale), edge(cell + 1, score.scale))
                     for cell in score.cells])  # fmt: skip
    wide = np.maximum(ends[:, 1] - ends[:, 0], 1e-300)
    said = np.clip((ends[:, 1] - threshold) / wide, 0.0, 1.0)
    rows = np.array(score.counts, float)
    return (rows * said * true, rows * said * (1 - true), rows * (1 - said) * true,
            rows * (1 - said) * (1 - true))  # fmt: skip


def _metrics(shares: Shares) -> dict[str, tuple[float, float]]:
    """Return the metrics that exist, and of how many rows each is a share."""
    tp, fp, fn, tn = (float(some.sum()) for some in shares)
    positive, negative = shares[0] + shares[2], shares[1] + shares[3]
    found = {}
    if (pairs := (tp + fn) * (fp + tn)) > 0:
        below = np.cumsum(negative) - negative / 2
        found["auc"] = float((positive * below).sum()) / pairs, tp + fn
    for name, some, of in (("accuracy", tp + tn, tp + fp + fn + tn), ("precision", tp, tp + fp),
                           ("recall", tp, tp + fn)):  # fmt: skip
        if of > 0:
            found[name] = some / of, of
    return found


def _hanley(auc: float, shares: Shares) -> float:
    """Return the standard error of an area under the curve (Hanley and McNeil 1982)."""
    tp, fp, fn, tn = (float(some.sum()) for some in shares)
    n, m = tp + fn, fp + tn
    square = auc**2
    one, two = auc / (2 - auc) - square, 2 * square / (1 + auc) - square
    spread = auc * (1 - auc) + max(0.0, n - 1) * one + max(0.0, m - 1) * two
    return sqrt(max(0.0, spread) / (n * m))


def _right(performance: Performance, score: Numbers) -> float:
    """Return the share of predictions with these scores that is expected to come true."""
    return float(np.average(_true(performance, score), weights=score.counts))


def _true(performance: Performance, score: Numbers) -> Array:
    """Return how likely predictions of each size of the score are to come true, as on the held-out
    rows."""
    middles, bins = _placed(performance, score)
    off = np.array([-one.error / one.rows if one.rows else 0.0 for one in performance.by_score])
    true: Array = np.clip(middles + off[bins], 0.0, 1.0)
    return true


def _placed(performance: Performance, score: Numbers) -> tuple[Array, Array]:
    """Return the middles of the scores' cells, and the bins of the performance they lie in."""
    middles = np.array([middle(cell, score.scale) for cell in score.cells])
    return middles, np.searchsorted(np.asarray(performance.edges), middles, side="right")


def estimate(performance: Performance, score: Numbers, *, is_class: bool) -> Estimate | None:
    """Return the estimate for predictions with these scores; None where there are none, or they
    lie in bins of which nothing is known."""
    known = [one for one in performance.by_score if one.rows]
    if not score.count or not known:
        return None
    _, bins = _placed(performance, score)
    rows = np.bincount(bins, weights=score.counts, minlength=len(performance.by_score))
    squared = np.array([_mean(one, performance.whole) for one in performance.by_score])
    loss = float((rows * squared).sum() / rows.sum())
    was = performance.whole.squared / performance.whole.rows
    # of a mean of squares whose own spread is about that of an exponential
    half = _Z * loss / sqrt(score.count)
    if is_class:
        return Estimate("brier", loss, was, half)
    root = sqrt(loss)
    return Estimate("rmse", root, sqrt(was), half / (2 * root) if root else 0.0)


def _mean(one: Errors, whole: Errors) -> float:
    return one.squared / one.rows if one.rows else whole.squared / whole.rows
