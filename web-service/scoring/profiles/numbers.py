"""The distribution of a number, in cells that are the same for everybody.

A cell holds the numbers of one sign whose size is between two neighbouring powers of 2^(1/S), with
S = 2^scale cells to an octave: 2.2 % wide at the scale 5. Two distributions of one scale are added
cell by cell, and those of different scales exactly too, since a cell of a smaller scale is made of
whole cells of a larger one. Cells do not depend on the data, so that any two hours, versions or
trainings can be compared. The layout is that of OpenTelemetry's exponential histogram (OTEP 149).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, Self

import msgspec
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SCALE: Final = 5
_SCALES: Final = (3, 12)
_SPREAD: Final = 64  # cells wanted between the 5th and the 95th percentile
_OCTAVES: Final = 32  # below 1: anything smaller than 2^-32 is counted as zero


class Numbers(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="number"):
    """Counts by cell, in the order of the numbers, and what has exact sums."""

    scale: int
    count: int
    missing: int
    hidden: int  # known by their hash only
    total: float
    squares: float
    low: float | None  # least and largest; None of nothing
    high: float | None
    cells: tuple[int, ...]  # 0: zero; i > 0 from 2^((i - 1) / S - 32) on; below 0 likewise
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: Array, scale: int, *, missing: int = 0, hidden: int = 0) -> Self:
        """Return the distribution of finite floats, in any order."""
        cells = cells_of(values, scale)
        return cls.counted(values, *tally(cells), scale, missing=missing, hidden=hidden)

    @classmethod
    def counted(
        cls,
        values: Array,
        cells: Array,
        counts: Array,
        scale: int,
        *,
        missing: int = 0,
        hidden: int = 0,
    ) -> Self:
        """Return the distribution of `values` whose `cells` were counted already."""
        some = len(values) > 0
        return cls(
            scale=scale,
            count=len(values),
            missing=missing,
            hidden=hidden,
            total=float(values.sum()),
            squares=float(np.square(values).sum()),
            low=float(values.min()) if some else None,
            high=float(values.max()) if some else None,
            cells=tuple(cells.tolist()),
            counts=tuple(counts.tolist()),
        )

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return self.total / self.count if self.count else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation, None of nothing."""
        if not self.count:
            return None
        mean = self.total / self.count
        return math.sqrt(max(0.0, self.squares / self.count - mean * mean))

    def quantile(self, share: float) -> float | None:
        """Return the number below which this share lies, to the width of a cell; None of
        nothing."""
        if not self.count:
            return None
        assert self.low is not None  # noqa: S101  # for the type checker
        assert self.high is not None  # noqa: S101  # likewise
        upto = np.cumsum(self.counts)
        place = int(np.searchsorted(upto, share * self.count, side="left"))
        found = middle(self.cells[min(place, len(self.cells) - 1)], self.scale)
        return min(max(found, self.low), self.high)

    def coarse(self, scale: int) -> tuple[Array, Array]:
        """Return the cells and counts at a scale that is not larger than its own."""
        cells, counts = np.array(self.cells, np.int64), np.array(self.counts, np.int64)
        if scale == self.scale:
            return cells, counts
        return tally(shifted(cells, self.scale - scale), counts)

    def as_json(self) -> dict[str, Any]:
        """Return plain values, the fields by their names."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def add(parts: Sequence[Numbers]) -> Numbers:
    """Return the sum of distributions, at the smallest of their scales."""
    scale = min(part.scale for part in parts)
    if all(part.scale == scale for part in parts):
        each = np.fromiter(chain.from_iterable(part.cells for part in parts), np.int64)
        many = np.fromiter(chain.from_iterable(part.counts for part in parts), np.int64)
    else:
        pairs = [part.coarse(scale) for part in parts]
        each, many = (np.concatenate(column) for column in zip(*pairs, strict=True))
    cells, counts = tally(each, many)
    lows = [part.low for part in parts if part.low is not None]
    highs = [part.high for part in parts if part.high is not None]
    return Numbers(
        scale=scale,
        count=sum(part.count for part in parts),
        missing=sum(part.missing for part in parts),
        hidden=sum(part.hidden for part in parts),
        total=math.fsum(part.total for part in parts),
        squares=math.fsum(part.squares for part in parts),
        low=min(lows, default=None),
        high=max(highs, default=None),
        cells=tuple(cells.tolist()),
        counts=tuple(counts.tolist()),
    )


def scale_for(values: Array) -> int:
    """Return the scale at which the bulk of such numbers falls into enough cells."""
    if not len(values):
        return SCALE
    low, high = np.quantile(values, (0.05, 0.95))
    if low == high or low * high <= 0:
        return SCALE
    octaves = abs(math.log2(high / low))
    return min(max(math.ceil(math.log2(_SPREAD / octaves)), _SCALES[0]), _SCALES[1])


def cells_of(values: Array, scale: int) -> Array:
    """Return the cell of each of n finite floats, n int64."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        found = np.floor(np.log2(size) * 2**scale) + (_OCTAVES * 2**scale + 1)
    found[found < 1] = 0
    cells: Array = found.astype(np.int64)
    cells[values < 0] *= -1
    return cells


def shifted(cells: Array, steps: int) -> Array:
    """Return the cells of a scale that is smaller by `steps`, to which these belong."""
    size: Array = np.where(cells == 0, 0, ((np.abs(cells) - 1) >> steps) + 1)
    size[cells < 0] *= -1
    return size


def edge(cell: int, scale: int) -> float:
    """Return the end of a cell that is nearer to zero."""
    if cell == 0:
        return 0.0
    size: float = 2.0 ** ((abs(cell) - 1) / 2**scale - _OCTAVES)
    return size if cell > 0 else -size


def middle(cell: int, scale: int) -> float:
    """Return the middle of a cell."""
    factor: float = 2.0 ** (0.5 / 2**scale)
    return edge(cell, scale) * factor


def tally(cells: Array, each: Array | None = None) -> tuple[Array, Array]:
    """Return the distinct cells, ascending, and how often each comes, or the sum of its counts in
    `each`, which are above 0."""
    if not len(cells):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low = int(cells.min())
    if int(cells.max()) - low > 4 * len(cells) + 65536:
        distinct, place = np.unique(cells, return_inverse=True)
        return distinct, np.bincount(place, weights=each).astype(np.int64)
    counts = np.bincount(cells - low, weights=each).astype(np.int64)
    found = np.flatnonzero(counts)
    return found + low, counts[found]
