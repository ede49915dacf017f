"""Two distributions over the same bins, and how much they move from day to day.

Bins are made when two distributions are compared, of whole cells or categories: about equally many
rows of the reference fall into each, and few rows are never a bin of their own, since a share of
nearly nothing has no reliable ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from scoring.profiles.categories import Categories
from scoring.profiles.numbers import Array, Numbers, edge

Sketch = Numbers | Categories

BINS: Final = 10  # of a number
_EXPECTED: Final = 5.0  # rows in each bin of each side, were both alike (Cochran 1954)
OTHER: Final = "other"


class Bins(NamedTuple):
    """Rows of both sides by bin; n_bins long each."""

    names: list[str]  # "from 2.5" of a number, the category of a category
    left: Array  # the reference's rows, int64
    right: Array


def aligned(left: Sketch, right: Sketch) -> Bins | None:
    """Return both over bins that are made of the reference `left`; None where one is a number and
    the other none, or one holds nothing."""
    if not left.count or not right.count:
        return None
    if isinstance(left, Numbers) and isinstance(right, Numbers):
        return _of_numbers(left, right)
    if isinstance(left, Categories) and isinstance(right, Categories):
        return _of_categories(left, right)
    return None


def day_to_day(days: Sequence[Sketch], whole: Sketch) -> float:
    """Return how much a day's distribution moves beyond what its number of rows explains.

    It is the part of the relative variance of a bin's share that does not fall with the rows of a
    day: 0 where rows are drawn one by one. A day of n rows then differs from a long reference by
    (1/n + that) chi-squared, an overdispersed multinomial (Mosimann 1962). `whole` is the sum of
    the `days`; fewer than three say nothing, and give 0.
    """
    found = []
    for day in days:
        both = aligned(whole, day)
        few = day.count < _EXPECTED * 2 * BINS or day.count == whole.count
        if few or both is None or len(both.names) < 2:
            continue
        expected = both.left / both.left.sum()
        share = both.right / both.right.sum()
        square = float(((share - expected) ** 2 / expected)[expected > 0].sum())
        apart = 1 - day.count / whole.count  # the day is a part of the whole
        found.append(square / (len(both.names) - 1) / apart - 1 / day.count)
    return max(0.0, float(np.mean(found))) if len(found) >= 3 else 0.0


def _of_numbers(left: Numbers, right: Numbers) -> Bins:
    scale = min(left.scale, right.scale)
    (ours, many), (theirs, others) = left.coarse(scale), right.coarse(scale)
    cells = np.union1d(ours, theirs)
    a, b = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    a[np.searchsorted(cells, ours)] = many
    b[np.searchsorted(cells, theirs)] = others
    before = np.cumsum(a) - a
    place = np.minimum((before + a / 2) * BINS // left.count, BINS - 1).astype(np.int64)
    place = np.maximum.accumulate(place)
    # what lies beyond the reference is a bin of its own on either side
    place = np.where(cells < ours[0], -1, np.where(cells > ours[-1], BINS, place))
    starts = np.flatnonzero(np.diff(place, prepend=-2))
    a, b = np.add.reduceat(a, starts), np.add.reduceat(b, starts)
    kept = _neighbours_joined(a, b)
    names = [f"from {_short(edge(int(cells[starts[first]]), scale))}" for first in kept]
    return Bins(names, np.add.reduceat(a, kept), np.add.reduceat(b, kept))


def _neighbours_joined(a: Array, b: Array) -> list[int]:
    """Return the first of each run of bins that together hold enough."""
    enough = _least(int(a.sum()), int(b.sum()))
    starts, held = [0], 0
    for place, rows in enumerate((a + b).tolist()):
        if held >= enough:
            starts.append(place)
            held = 0
        held += rows
    if len(starts) > 1 and held < enough:
        starts.pop()
    return starts


def _of_categories(left: Categories, right: Categories) -> Bins:
    # by the rows of both together: a bin of what the reference alone lacks would differ by chance
    enough = _least(left.count, right.count)
    a, b = {OTHER: left.other}, {OTHER: right.other}
    for name in left.counts.keys() | right.counts.keys():
        ours, theirs = left.counts.get(name, 0), right.counts.get(name, 0)
        into = name if ours + theirs >= enough else OTHER
        a[into] = a.get(into, 0) + ours
        b[into] = b.get(into, 0) + theirs
    if a[OTHER] + b[OTHER] < enough and len(a) > 1:
        _, into = min((a[name] + b[name], name) for name in a if name != OTHER)
        a[into], b[into] = a[into] + a.pop(OTHER), b[into] + b.pop(OTHER)
    names = sorted(a, key=lambda name: (-a[name], name))
    return Bins(
        names,
        np.array([a[name] for name in names], np.int64),
        np.array([b[name] for name in names], np.int64),
    )


def _least(n: int, m: int) -> float:
    """Return the rows of both that a bin needs for the smaller side to be expected enough in it."""
    return _EXPECTED * (n + m) / min(n, m)


def _short(value: Any) -> str:
    return f"{value:.4g}"
