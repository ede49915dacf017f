"""Which hours are looked at, and with what they are compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from monitoring.entries import Hour, Training
from monitoring.errors import UsageError
from monitoring.store import Store
from scoring.profiles.bins import day_to_day
from scoring.profiles.profile import Profile, add

Against = Literal["training", "previous", "same-weekday"]

_WEEK: Final = 168
_WEEKS: Final = 4
_WEEKDAYS: Final = 7  # fewer days do not know a weekend from drift
_UNITS: Final = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Window:
    """The predictions of some hours; `profile` is None where there are none."""

    first: int  # hours since 1970
    end: int
    profile: Profile | None
    parts: Sequence[Hour]  # hours, and whole days by their first

    @property
    def rows(self) -> int:
        """How many predictions there are."""
        return self.profile.rows if self.profile else 0

    @property
    def days(self) -> float:
        """How many days it spans."""
        return (self.end - self.first) / 24

    @property
    def versions(self) -> dict[tuple[str, str], int]:
        """Return the rows by version and digest, most first."""
        rows: Counter[tuple[str, str]] = Counter()
        for part in self.parts:
            rows[part.version, part.digest] += part.profile.rows
        return dict(rows.most_common())


@dataclass(frozen=True)
class Reference:
    """What a window is compared with."""

    named: str  # for people
    profile: Profile
    days: float | None  # None: many, a training's
    day_to_day: Mapping[str, float]
    spans: Sequence[tuple[int, int]] = ()  # its hours; of a training none

    def moves(self, field: str, window: Window) -> float:
        """Return what the days add to the variance of a field's shares."""
        each = self.day_to_day.get(field, 0.0)
        return each / window.days + (each / self.days if self.days else 0.0)


def hours_of(text: str) -> int:
    """Return the hours that 24h, 7d or 4w means. Raises UsageError for anything else."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", text)
    if not found:
        raise UsageError(f"--window {text}: a number of hours, days or weeks, as 24h, 7d, 4w")
    return int(found[1]) * _UNITS[found[2]]


def hour_of(text: str | None) -> int:
    """Return the hour that a time lies in, of now without one; for `now` the next, so that a window
    that ends there includes the hour that runs. Raises UsageError for no time."""
    if text == "now":
        return hour_of(None) + 1
    try:
        when = datetime.now(UTC) if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--until {text}: a time as 2026-11-26T18:00, or now, is expected"
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return int(when.timestamp()) // 3600


def shown(hour: int) -> str:
    """Return an hour for people, in UTC."""
    return f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%d %H:%M}"


def window(store: Store, model: str, first: int, end: int) -> Window:
    """Return what the store has of these hours."""
    parts = store.days(model, first, end)
    return Window(first, end, add([one.profile for one in parts]) if parts else None, parts)


def reference(store: Store, model: str, of: Window, against: Against) -> Reference | None:
    """Return what this window is compared with; None where there is no such thing."""
    trainings = store.trainings(model)
    known = next((trainings[d] for _, d in of.versions if d in trainings), None)
    if against == "training":
        return None if known is None else _of_training(known)
    length = of.end - of.first
    if against == "previous":
        spans = [(of.first - length, of.first)]
        named = f"the {length} hours before"
    else:
        spans = [(of.first - week * _WEEK, of.end - week * _WEEK) for week in range(1, _WEEKS + 1)]
        named = f"the same hours of the {_WEEKS} weeks before"
    found = [one for one in (window(store, model, *span) for span in spans) if one.profile]
    if not found:
        return None
    profile = add([one.profile for one in found if one.profile])
    moves = known.profile.day_to_day if known else days_of(store, model, of.first)
    return Reference(named, profile, sum(one.days for one in found), moves, spans)


def days_of(store: Store, model: str, end: int) -> dict[str, float]:
    """Return how much a model's fields move from day to day, by the four weeks before `end`."""
    by_day: dict[int, list[Profile]] = {}
    for part in store.days(model, end - _WEEKS * _WEEK, end):
        by_day.setdefault(part.hour // 24, []).append(part.profile)
    if len(by_day) < _WEEKDAYS:
        return {}
    days = [add(parts) for parts in by_day.values()]
    whole = add(days)
    found = {
        name: day_to_day([day.fields[name] for day in days if name in day.fields], sketch)
        for name, sketch in whole.fields.items()
    }
    return {**found, "": day_to_day([day.score for day in days], whole.score)}


def _of_training(found: Training) -> Reference:
    profile = replace(found.profile, tallies={})
    named = f"the training of version {found.version} ({found.described})"
    return Reference(named, profile, None, found.profile.day_to_day)
