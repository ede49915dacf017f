"""How far two distributions are apart, and whether that is more than chance.

The size of a difference is told by the Jensen-Shannon divergence (Lin 1991; bits, 0 to 1) and the
population stability index. Whether it is chance is asked of Pearson's statistic: where both sides
are drawn from one population, `sum((p - q)^2 / pooled)` is `1/n + 1/m` times a chi-squared variable
with one degree of freedom less than there are bins, so the threshold follows from both numbers of
rows. Rows that move together by day add the days' own variance (`bins.day_to_day`) to that factor:
it does not fall with the rows of a day, only with the number of days. Days differ in few ways at
once, so that part has few degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitoring.chance import chi_squared_above, chi_squared_at, fisher_exact, normal_above
from scoring.profiles.bins import Bins, Sketch, aligned

MIN_ROWS: Final = 50  # of either side: fewer say nothing
LEVEL: Final = 0.05  # share of false alarms among the fields that are named, at the most
_WAYS: Final = 2  # in which days differ: weekdays from weekends, and the weather, not bin by bin
SMALLEST: Final = 0.005  # PSI below which no difference matters


@dataclass(frozen=True)
class Difference:
    """Two sides over the same bins."""

    bins: Bins
    psi: float
    divergence: float  # Jensen-Shannon, bits
    p: float  # of a difference at least as large, were there none
    threshold: float  # PSI that chance alone reaches in one of 1 / level comparisons


def difference(
    reference: Sketch, window: Sketch, moves: float = 0.0, level: float = LEVEL
) -> Difference | None:
    """Return how the window differs from the reference; None where they cannot be compared, or one
    has too few rows.

    `moves` is what the days add to `1/n + 1/m`: their own variance by the number of days.
    """
    if min(reference.count, window.count) < MIN_ROWS:
        return None
    bins = aligned(reference, window)
    if bins is None:
        return None
    n, m = int(bins.left.sum()), int(bins.right.sum())
    freedom = len(bins.names) - 1
    if not freedom:
        return Difference(bins, 0.0, 0.0, 1.0, 0.0)
    p, q = bins.left / n, bins.right / m
    pooled = (bins.left + bins.right) / (n + m)
    chance = 1 / n + 1 / m
    mean = freedom * (chance + moves)
    # of a sum of two scaled chi-squared variables (Satterthwaite 1946)
    effective = mean**2 / (freedom * chance**2 + (freedom * moves) ** 2 / min(_WAYS, freedom))
    statistic = float(((p - q) ** 2 / pooled).sum()) / mean * effective
    return Difference(
        bins,
        psi(bins),
        jensen_shannon(bins),
        chi_squared_above(statistic, effective),
        mean / effective * chi_squared_at(level, effective),
    )


def psi(bins: Bins) -> float:
    """Return the population stability index; half a row is added to each bin, so that an empty one
    is no infinity."""
    p = (bins.left + 0.5) / (bins.left.sum() + 0.5 * len(bins.names))
    q = (bins.right + 0.5) / (bins.right.sum() + 0.5 * len(bins.names))
    return float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(bins: Bins) -> float:
    """Return the Jensen-Shannon divergence: 0 bits of equals, 1 of what has nothing in common."""
    p, q = bins.left / bins.left.sum(), bins.right / bins.right.sum()
    middle = (p + q) / 2
    parts = 0.0
    for side in (p, q):
        some = side > 0
        parts += float((side[some] * np.log2(side[some] / middle[some])).sum()) / 2
    return max(0.0, parts)


def false_discoveries_held(p: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Return which hypotheses are rejected, with at most this expected share of false ones among
    them (Benjamini and Hochberg 1995)."""
    order = np.argsort(p)
    steps = level * np.arange(1, len(p) + 1) / max(len(p), 1)
    below = np.flatnonzero(np.asarray(p)[order] <= steps)
    rejected = np.zeros(len(p), bool)
    if len(below):
        rejected[order[: below[-1] + 1]] = True
    return [bool(one) for one in rejected]


def rate_differs(a: int, n: int, b: int, m: int) -> float:
    """Return the probability of shares as far apart as a of n and b of m, were they one share
    (Fisher's exact test where counts are small, else the normal approximation)."""
    if not n or not m or a + b in (0, n + m):
        return 1.0
    if min(a + b, n + m - a - b) < 40:
        return fisher_exact(a, n, b, m)
    pooled = (a + b) / (n + m)
    z = (a / n - b / m) / float(np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)))
    return 2 * normal_above(abs(z))
