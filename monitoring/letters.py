"""Dead letters of `streaming` are refused requests: those of events that were not valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from monitoring.refusals import Refusal, refusal_of

EVENT: Final = "_event"  # the field of an event that is no record at all
OTHERS: Final = "dead letters of a fault of the worker or the sink, which are no refusals"
_OTHER: Final = "_other"
_NEEDED: Final = {"id": str, "time": str, "reason": str, "model": str, "problem": dict}
_OF_EVENT: Final = ("not_json", "too_large")
_INVALID: Final = "invalid"


def is_letter(line: Any) -> bool:
    """Tell whether a JSON value is a dead letter, as docs/streaming.md describes it."""
    return (
        isinstance(line, dict)
        and "event" in line
        and all(isinstance(line.get(name), kind) for name, kind in _NEEDED.items())
    )


def refusal(letter: Mapping[str, Any]) -> Refusal | None:
    """Return what a dead letter says was refused; None of one whose event was not at fault. Raises
    ValueError for one that does not say it."""
    reason = letter["reason"]
    if reason in _OF_EVENT:
        errors = [{"field": EVENT, "reason": reason, "records": 1}]
    elif reason != _INVALID:
        return None
    else:
        errors = letter.get("errors") or _worded(letter["problem"])
    return refusal_of({**letter, "errors": errors})._replace(id=letter["id"])


def _worded(problem: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the bad fields of a letter of before it had reasons."""
    told = problem.get("errors")
    names = [one.get("field") for one in told if isinstance(one, dict)] if isinstance(
        told, list) else []  # fmt: skip
    plain = [name for name in names if isinstance(name, str) and name.isidentifier()]
    return [{"field": name, "reason": "other", "records": 1} for name in plain or [_OTHER]]
