"""Has a run something to do, and why? By the digest of its inputs, code and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline import digests, records
from pipeline.records import Record

if TYPE_CHECKING:
    from pipeline.run import Asked

_TRAINS: Final = ("train.py", "training", "web-service/scoring", "Pipfile.lock")
CODE: Final = {
    "ingest": (*_TRAINS, "pipeline/ingest.py"),
    "check": (*_TRAINS, "monitoring", "pipeline/check.py"),
    "train": (*_TRAINS, "pipeline/fit.py"),
    "gate": (*_TRAINS, "pipeline/gate.py"),
    "register": ("training/tracking/versions.py", "pipeline/publish.py"),
    "promote": ("training/tracking/versions.py", "pipeline/publish.py"),
}
# what decides when a run begins, or what is done about it later, and not what it does
_ASIDE: Final[Any] = {
    "data": {"folder", "mirror", "late_months", "ask_hours"},
    "watch": True, "observe": True, "keep": True,
}  # fmt: skip


class Nothing(Exception):  # it is no error
    """There is nothing to do; the message says why."""


def code() -> str:
    """Return the digest of the code of all steps."""
    places = sorted({place for places in CODE.values() for place in places})
    return digests.of_values([digests.of_code(place) for place in places])


def plan_of(asked: Asked, inputs: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest of all that decides what a run does but for what serves."""
    said = asked.config.model_dump(mode="json", exclude=_ASIDE)
    return digests.of_values([[one["sha256"] for one in inputs], code(), said])


def reason(
    asked: Asked,
    inputs: Sequence[Mapping[str, Any]],
    plan: str,
    killed: Record | None = None,
    elsewhere: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return why a run has something to do, in words. Raises Nothing where it has not. `elsewhere`
    are the runs that other machines finished, the newest first."""
    before = [one for one in asked.runs.all() if one["state"] in records.FINISHED]
    known = (*reversed(before), *elsewhere)
    same = next((one for one in known if one["plan"] == plan), None)
    if asked.first:
        return f"asked for from {asked.first} on"
    if same is not None:
        waits = same["state"] == records.WAITING
        if waits and asked.approve:
            return f"approved: run {same['run']} waited for it"
        more = "; --approve lets it serve" if waits else ""
        raise Nothing(
            f"nothing to do: run {same['run']} did the same at {same['finished']} and was "
            f"{same['state']}: {same['said']}{more}"
        )
    if killed is not None and killed["plan"] == plan:
        return f"goes on where run {killed['run']} was ended"
    if not before:
        there = f" here; elsewhere the last was {elsewhere[0]['run']}" if elsewhere else ""
        return f"no run has finished yet{there}"
    last = before[-1]
    names = {one["sha256"]: one["file"] for one in last["inputs"]}
    places = {one["file"] for one in last["inputs"]}
    new = [one for one in inputs if one["sha256"] not in names]
    told = {
        f"other bytes than in run {last['run']}": [o for o in new if o["file"] in places],
        "new data": [one for one in new if one["file"] not in places],
    }
    if new:
        return "; ".join(
            f"{what}: {', '.join(Path(one['file']).name for one in some)}"
            for what, some in told.items()
            if some
        )
    if last["code"] != code():
        return f"the code is another than in run {last['run']}"
    return f"the files or parameters are others than in run {last['run']}"
