"""Why a run that was asked for does not begin yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pipeline.config import Watch

_WEEK: Final = timedelta(days=7)


def held_back(finished: Sequence[Mapping[str, Any]], config: Watch, now: datetime) -> str | None:
    """Return why nothing is begun now, None where it may be: the cool-down since the last run that
    finished, the most a week. A run that a clock put into the future counts like one of the past,
    as far away; so a clock that jumps can neither block for ever nor let more through at once."""
    ended = [datetime.fromisoformat(one["finished"]) for one in finished if one["finished"]]
    cooldown = timedelta(minutes=config.cooldown_minutes)
    if near := [when for when in ended if abs(now - when) < cooldown]:
        until = min(max(near), now) + cooldown
        return f"cools down until {until:%Y-%m-%d %H:%M} UTC (cooldown_minutes)"
    week = sorted(when for when in ended if abs(now - when) < _WEEK)
    if len(week) < config.max_a_week:
        return None
    until = week[-config.max_a_week] + _WEEK
    return (
        f"{len(week)} runs finished within a week, {config.max_a_week} are allowed (max_a_week): "
        f"not before {until:%Y-%m-%d %H:%M} UTC"
    )
