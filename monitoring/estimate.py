"""How good the predictions of a window should be, before any truth is there.

The error at each size of the score is that of the training's held-out rows; what changes is how
often each size comes. So an estimate follows a shift of what is asked, not a change of how the
truth follows from it. For probabilities it is the idea of CBPE (confidence-based performance
estimation): what is predicted with 0.8 comes true as often as it did for such predictions then.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from scoring.profiles.numbers import Numbers, middle
from scoring.profiles.performance import Errors, Performance


@dataclass(frozen=True)
class Estimate:
    """A metric of the window as it is expected, and as it was on the held-out rows."""

    metric: str  # rmse, or brier of a probability
    expected: float
    was: float
    within: float  # half of the interval in which 19 of 20 such windows lie, by their rows alone

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"metric": self.metric, "expected": self.expected, "was": self.was,
                "within": self.within, "kind": "estimated"}  # fmt: skip


def estimate(performance: Performance, score: Numbers, *, is_class: bool) -> Estimate | None:
    """Return the estimate for predictions with these scores; None where there are none, or they
    lie in bins of which nothing is known."""
    known = [one for one in performance.by_score if one.rows]
    if not score.count or not known:
        return None
    middles = np.array([middle(cell, score.scale) for cell in score.cells])
    bins = np.searchsorted(np.asarray(performance.edges), middles, side="right")
    rows = np.bincount(bins, weights=score.counts, minlength=len(performance.by_score))
    squared = np.array([_mean(one, performance.whole) for one in performance.by_score])
    expected = float((rows * squared).sum() / rows.sum())
    was = performance.whole.squared / performance.whole.rows
    # of a mean of squares whose own spread is about that of an exponential
    half = 1.96 * expected / sqrt(score.count)
    if is_class:
        return Estimate("brier", expected, was, half)
    root = sqrt(expected)
    return Estimate("rmse", root, sqrt(was), half / (2 * root) if root else 0.0)


def _mean(one: Errors, whole: Errors) -> float:
    return one.squared / one.rows if one.rows else whole.squared / whole.rows
