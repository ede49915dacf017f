"""Cron's texts by the clock of a time zone, through clocks that jump and hours that come twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.config import Watch
from pipeline.shared.store import Store

KIND: Final = "clock"
_BACK: Final = timedelta(days=1)  # a clock that was ahead by more was wrong, and is so no more


def look(store: Store, model: str, config: Watch, now: datetime) -> None:
    """Add an event for each text of `config.cron` whose time has come since the last look; of
    several times that were missed, the last counts. A clock that is set back fires nothing twice:
    the times until where it was have had their turn."""
    if not config.cron:
        return
    kept = store.mark(model, KIND)
    seen = datetime.fromisoformat(kept) if kept else now
    if now < seen <= now + _BACK:
        return
    if now < seen:
        seen = now
    for text in config.cron:
        when = last(text, config.timezone, now)
        if when > seen:
            shown = f"{when.astimezone(ZoneInfo(config.timezone)):%Y-%m-%d %H:%M}"
            why = f"by the clock: {text} ({shown}, {config.timezone})"
            store.add_event(model, KIND, f"{KIND}:{text}:{when.isoformat()}", why)
    store.set_mark(model, KIND, now.isoformat())


def last(text: str, timezone: str, now: datetime) -> datetime:
    """Return the last time until `now` that a text means, in UTC."""
    from cronsim import CronSim  # of those who have such texts alone

    after = (now + timedelta(minutes=1)).replace(second=0, microsecond=0)
    found = next(CronSim(text, after.astimezone(ZoneInfo(timezone)), reverse=True))
    return found.astimezone(UTC)
