"""The first day of a new champion: where monitoring raises an alarm, the one before comes back.

    promoted -> two whole windows of the report -> quiet -> ... -> the day is over: it stays
                           | an alarm that its predecessor had not
                        the alias is moved back, with the sentence that says why

Nobody else runs the model meanwhile, and a champion that was moved by others is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline import publish, records
from pipeline.champions import champion_of
from pipeline.errors import PipelineError
from pipeline.run import Asked, alone
from pipeline.shared.lease import Lease
from pipeline.shared.store import Store
from pipeline.triggers.monitored import report_of
from scoring.artifact.folder import in_place
from scoring.artifact.reading import read_manifest
from scoring.errors import StartError
from scoring.process.settings import ModelSettings

MARK: Final = "observed"
_HOUR_S: Final = 3600


def look(asked: Asked, store: Store, now: datetime | None = None) -> str | None:
    """Look at a champion that is observed, once; return a sentence, or None where none is.

    A champion that was moved meanwhile is left alone. Raises Busy where a run is at work, and
    PipelineError where the report or what serves cannot be had, or nothing can be rolled back.
    """
    if store.mark(asked.model.name, MARK) is None:
        return None
    with alone(asked) as lease:  # no run is between its note and its promotion
        return _looked(asked, store, now or datetime.now(UTC), lease)


def _looked(asked: Asked, store: Store, now: datetime, lease: Lease | None) -> str | None:
    name = asked.model.name
    watched = store.mark(name, MARK)
    if watched is None:  # another watcher has ended it
        return None
    champion = champion_of(asked.model, asked.environ)
    if champion is not None and champion.sha256 == watched["before_sha256"] and "why" in watched:
        return _note(asked, store, watched)  # killed between the rollback and its note
    if champion is None or champion.sha256 != watched["sha256"]:
        store.set_mark(name, MARK, None)
        there = champion.version if champion else "none"
        return f"{there} is the champion and not {watched['shown']}: it is left as it is"
    began = datetime.fromisoformat(watched["began"])
    if (now - began).total_seconds() > asked.config.observe.hours * _HOUR_S:
        store.set_mark(name, MARK, None)
        return f"{watched['shown']} stays: no alarm in {asked.config.observe.hours:g} hours"
    why = _alarm(asked, began, now)
    if not why:
        return f"{watched['shown']} is observed since {watched['began']}: no alarm"
    return _roll_back(asked, store, {**watched, "why": why}, lease)


def _alarm(asked: Asked, began: datetime, now: datetime) -> str:
    """Return the alarms of the last windows that are all the new champion's, but for those that the
    one before had as well; "" where there are none, or the windows are not over yet."""
    hours = asked.config.observe.window_hours
    first, end = -(-int(began.timestamp()) // _HOUR_S), int(now.timestamp()) // _HOUR_S
    if end - 2 * hours < first:
        return ""
    found = _alarms(asked, hours, end)
    if found:
        found = {key: said for key, said in found.items() if key not in _alarms(
            asked, hours, first - 1)}  # fmt: skip
    return "; ".join(found.values())


def _alarms(asked: Asked, hours: int, end: int) -> dict[str, str]:
    """Return the sentences of a report's alarms by what they are about, the first of each."""
    found: dict[str, str] = {}
    for one in report_of(asked, hours, end).findings:
        if one.state == "alarm":
            about = one.field or re.sub(r"[\d.,%]+", "", one.sentence)
            found.setdefault(about, one.sentence)
    return found


def _roll_back(asked: Asked, store: Store, watched: Mapping[str, Any], lease: Lease | None) -> str:
    """Move what serves back and return a sentence."""
    if watched["version"] is None:
        _must_be_there(asked, watched)
    store.set_mark(asked.model.name, MARK, watched)
    assert lease is not None  # noqa: S101  # whoever observes shares a store
    with lease.fenced():
        champion = champion_of(asked.model, asked.environ)
        if champion is None or champion.sha256 != watched["sha256"]:
            return "the champion was moved at this moment: it is left as it is"
        if watched["version"] is not None:
            publish.roll_back(asked.model, watched["why"])
        else:
            target = ModelSettings.from_env(asked.environ).models_dir / asked.model.name
            publish.copy(asked.runs.before, target)
    return _note(asked, store, watched)


def _must_be_there(asked: Asked, watched: Mapping[str, Any]) -> None:
    """Raise PipelineError where the artifact that served before is not here."""
    try:
        there = read_manifest(in_place(asked.runs.before), asked.model).sha256
    except StartError:
        there = None
    if there != watched["before_sha256"]:
        raise PipelineError(
            f"{watched['shown']} has an alarm and cannot be rolled back here: {asked.runs.before} "
            f"does not hold {watched['before']}: {watched['why']}"
        )


def _note(asked: Asked, store: Store, watched: Mapping[str, Any]) -> str:
    """Write down that the champion was rolled back, and tell people."""
    said = f"{watched['shown']} was rolled back to {watched['before']}: {watched['why']}"
    changed = {"state": records.ROLLED_BACK, "said": said, "finished": records.now()}
    for record in asked.runs.all():
        if record["run"] == watched["run"] and record.get("candidate") == watched["sha256"]:
            record |= changed
            asked.runs.write(record)
    store.set_state(asked.model.name, watched["holder"], watched["run"], changed)
    store.set_mark(asked.model.name, MARK, None)
    asked.tell({"model": asked.model.name, "run": watched["run"], **changed})
    return said
