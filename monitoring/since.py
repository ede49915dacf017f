"""Since which day something differs, and among which predictions most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from monitoring import kept
from monitoring.blocks import HOUR_US
from monitoring.chance import normal_above
from monitoring.compare import SCORE, Comparison
from monitoring.drift import MIN_ROWS, false_discoveries_held
from monitoring.hours import category
from monitoring.kept import SEGMENT
from monitoring.store import Store
from monitoring.windows import Reference, Window

_DAYS: Final = 28  # that are looked back
_DAY: Final = 24


class Since(NamedTuple):
    """A day, and whether any before it is known."""

    day: date
    is_known: bool

    def __str__(self) -> str:
        return f"since {self.day:%A %Y-%m-%d}{'' if self.is_known else ' or before'}"


@dataclass(frozen=True)
class Segment:
    """A category and the mean score of its predictions."""

    field: str
    name: str
    now: float
    before: float

    def __str__(self) -> str:
        return f"most in {self.field} {self.name} ({self.now:.4g}, was {self.before:.4g})"

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"field": self.field, "name": self.name, "now": self.now, "before": self.before}


def since(store: Store, model: str, now: Window, one: Comparison) -> Since | None:
    """Return the day since which what differs is as it is in the window rather than as it is in the
    reference; None where no day is so.

    It is the day from which on the days together speak most for the change (Page 1954), each by its
    rows; up to four weeks before the window's end, or all of a longer window, are asked.
    """
    days: dict[int, tuple[float, int]] = {}
    first = min(now.first, now.end - _DAYS * _DAY)
    for part in store.days(model, first - first % _DAY, now.end):
        profile = part.profile
        sketch = profile.score if one.field == SCORE else profile.fields.get(one.field)
        if sketch is not None:
            some, rows = one.part(sketch)
            there = days.get(part.hour // _DAY, (0.0, 0))
            days[part.hour // _DAY] = there[0] + some, there[1] + rows
    inside = [days[day] for day in days if day >= now.first // _DAY]
    whole = sum(rows for _, rows in inside)
    if not whole:
        return None
    value = sum(some for some, _ in inside) / whole
    best, found, speaks = 0.0, None, 0.0
    for day in sorted(days, reverse=True):
        some, rows = days[day]
        if rows:
            speaks += rows * ((some / rows - one.before) ** 2 - (some / rows - value) ** 2)
        if speaks > best:
            best, found = speaks, day
    if found is None:
        return None
    return Since(datetime.fromtimestamp(found * _DAY * 3600, UTC).date(), found > min(days))


def most_in(store: Store, model: str, now: Window, reference: Reference) -> Segment | None:
    """Return the category in which the score moved most beyond what the others did, and beyond
    chance; None where there is none, or no prediction is kept."""
    ours = _sums(store, model, [(now.first, now.end)])
    theirs = _known(store, model, reference)
    found: list[tuple[float, float, Segment]] = []
    for field, names in ours.items():
        there = theirs.get(field, {})
        both = {name: (*there[name][:2], *sums) for name, sums in names.items() if name in there}
        if not both:
            continue
        columns = zip(*both.values(), strict=True)
        rows, score, many, total, squares = (sum(column) for column in columns)
        moved = total / many - score / rows
        spread = squares / many - (total / many) ** 2
        for name, (n, was, m, is_now, square) in both.items():
            if min(n, m) < MIN_ROWS or not 0 < m < many:
                continue
            own = is_now / m - was / n
            variance = max(square / m - (is_now / m) ** 2, spread * 1e-6)
            z = (own - moved) / sqrt(variance * (1 / n + 1 / m)) if variance else 0.0
            way = own if moved >= 0 else -own
            z = z if moved >= 0 else -z
            found.append((normal_above(z), way, Segment(field, name, is_now / m, was / n)))
    held = false_discoveries_held([one[0] for one in found])
    beyond = [one for one, is_beyond in zip(found, held, strict=True) if is_beyond]
    return max(beyond, key=lambda one: one[1])[2] if beyond else None


Sums = Mapping[str, Mapping[str, Sequence[float]]]  # field, category: rows, scores, squares


def _known(store: Store, model: str, reference: Reference) -> Sums:
    """Return the sums of what is compared with: of predictions kept, or of held-out rows."""
    if reference.spans:
        return _sums(store, model, reference.spans)
    performance = reference.profile.performance
    if performance is None:
        return {}
    return {field: {name: (one.rows, one.score) for name, one in names.items()}
            for field, names in performance.by_segment.items()}  # fmt: skip


def _sums(store: Store, model: str, spans: Sequence[tuple[int, int]]) -> Sums:
    found: dict[str, dict[str, list[float]]] = {}
    for field, names, codes, score in _segments(store, model, spans):
        columns = [np.bincount(codes + 1, weights=weights, minlength=len(names) + 1)[1:]
                   for weights in (None, score, np.square(score))]  # fmt: skip
        own = found.setdefault(field, {})
        for name, *sums in zip(names, *(column.tolist() for column in columns), strict=True):
            if sums[0]:
                own[name] = [a + b for a, b in zip(own.get(name, [0.0] * 3), sums, strict=True)]
    return found


def _segments(
    store: Store, model: str, spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, Sequence[str], Any, Any]]:
    """Yield the categories of each field, their codes and the scores, part by part."""
    for first, end in spans:
        for one in store.predictions(model, first, end):
            table = kept.table_of(one).combine_chunks()
            hour = table.column("time").to_numpy() // HOUR_US
            inside = (hour >= first) & (hour < end)
            score = table.column("score").to_numpy()[inside]
            for name in table.column_names:
                if name.startswith(SEGMENT) and len(score):
                    found = category(table.column(name).combine_chunks())
                    yield name.removeprefix(SEGMENT), found.names, found.codes[inside], score
