"""How far predictions were off: sums by score and by segment, from which every metric follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Final

import numpy as np

from scoring.profiles.numbers import Array, Numbers, cells_of, edge

_BINS: Final = 20
_SEGMENTS: Final = 300  # categories of a field, the most frequent


@dataclass(frozen=True, slots=True)
class Errors:
    """Sums over predictions whose truth is known; an error is the score minus the truth."""

    rows: int
    score: float
    target: float  # of a class: how many were of it
    error: float
    absolute: float
    squared: float

    def as_json(self) -> list[float]:
        """Return the sums, in the order of the fields."""
        return list(astuple(self))


@dataclass(frozen=True, slots=True)
class Performance:
    """Sums by bin of the score, with the n - 1 inner edges of n bins, and by field and category."""

    split: str
    edges: tuple[float, ...]
    by_score: tuple[Errors, ...]
    by_segment: Mapping[str, Mapping[str, Errors]]

    @property
    def whole(self) -> Errors:
        """The sums over everything."""
        return total(self.by_score)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "split": self.split,
            "sums": [field.name for field in fields(Errors)],
            "edges": list(self.edges),
            "by_score": [one.as_json() for one in self.by_score],
            "by_segment": {
                field: {name: one.as_json() for name, one in found.items()}
                for field, found in self.by_segment.items()
            },
        }


def performance_of(found: Mapping[str, Any]) -> Performance:
    """Return what `as_json` made plain values of."""
    return Performance(
        split=found["split"],
        edges=tuple(found["edges"]),
        by_score=tuple(_errors(one) for one in found["by_score"]),
        by_segment={
            field: {name: _errors(one) for name, one in segments.items()}
            for field, segments in found["by_segment"].items()
        },
    )


def measure(
    split: str,
    scores: Array,
    truth: Array,
    distribution: Numbers,
    segments: Mapping[str, tuple[Array, Sequence[str]]],
) -> Performance:
    """Return the sums of n predictions, whose scores have this distribution.

    `segments` are codes (-1: missing) and the categories that they stand for, by field.
    """
    cells, counts = distribution.coarse(distribution.scale)
    place = (np.cumsum(counts) - counts / 2) * _BINS // distribution.count
    first = cells[np.flatnonzero(np.diff(place, prepend=place[:1]))]
    found = np.searchsorted(first, cells_of(scores, distribution.scale), side="right")
    by_segment = {}
    for field, (codes, names) in segments.items():
        sums = by_code(codes, len(names), scores, truth)
        often = sorted(range(len(names)), key=lambda code: -sums[code].rows)[:_SEGMENTS]
        by_segment[field] = {names[code]: sums[code] for code in often if sums[code].rows}
    return Performance(
        split=split,
        edges=tuple(_lower_end(int(cell), distribution.scale) for cell in first),
        by_score=tuple(by_code(found, len(first) + 1, scores, truth)),
        by_segment=by_segment,
    )


def by_code(codes: Array, many: int, scores: Array, truth: Array) -> list[Errors]:
    """Return the sums for each of the codes 0 to `many` - 1; others are left out."""
    inside = (codes >= 0) & (codes < many)
    if not inside.all():
        codes, scores, truth = codes[inside], scores[inside], truth[inside]
    error = scores - truth
    columns = [np.bincount(codes, minlength=many)]
    columns += [
        np.bincount(codes, weights=weights, minlength=many)
        for weights in (scores, truth, error, np.abs(error), np.square(error))
    ]
    return [Errors(int(row[0]), *map(float, row[1:])) for row in zip(*columns, strict=True)]


def total(parts: Sequence[Errors]) -> Errors:
    """Return the sum of sums."""
    columns = list(zip(*(astuple(part) for part in parts), strict=True)) or [(0,)] * 6
    return Errors(int(sum(columns[0])), *(float(sum(column)) for column in columns[1:]))


def _lower_end(cell: int, scale: int) -> float:
    """Return the least number of a cell."""
    return edge(cell, scale) if cell >= 0 else edge(cell - 1, scale)


def _errors(sums: Sequence[float]) -> Errors:
    return Errors(int(sums[0]), *map(float, sums[1:]))
