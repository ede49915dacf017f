"""Dead letters: what is wrong with an event, in the endpoint's words, and the event itself.

A letter is a JSON object: docs/streaming.md describes it. It has no header whose name is that of a
secret, and is kept to some 256 KiB of the event.
"""

from __future__ import annotations

import base64
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson

from scoring.errors import InvalidRecords, NotJson, RequestError, TooLarge
from scoring.observers.refusals import bad_fields
from scoring.process.secret_values import is_secret
from scoring.values.strict_json import encode
from streaming.interface import Event, Headers, Message

KEPT_BYTES: Final = 256 * 1024  # of the event's value; a longer one is cut
_KEPT_HEADERS: Final = 64  # and as many bytes each as an id may have
_HEADER_BYTES: Final = 1024
_KEPT_ERRORS: Final = 100
_SECRET_HEADERS: Final = ("authorization", "cookie", "credential")

FAILED: Final = "The worker failed; its log says why, under this letter's id."
POISON: Final = "The worker's process ended twice while it worked on this event alone."


class Problem(NamedTuple):
    """Why an event has no prediction: a word for counting, and what the endpoint would answer."""

    reason: str
    document: Mapping[str, Any]
    bad: Sequence[Mapping[str, Any]] = ()  # fields, why, in how many records


def of_request(error: RequestError, fields: Container[str] = ()) -> Problem:
    """Return the problem of an event that is not valid; `fields` are those of the record."""
    more = {}
    if error.errors:
        more["errors"] = [line._asdict() for line in error.errors[:_KEPT_ERRORS]]
    reason = {NotJson: "not_json", TooLarge: "too_large"}.get(type(error), "invalid")
    found = bad_fields(error, fields) if isinstance(error, InvalidRecords) else {}
    bad = [{"field": f, "reason": r, "records": times} for (f, r), times in found.items()]
    return Problem(reason, _document(error.status, error.detail, **more), bad)


def of_failure(reason: str, detail: str) -> Problem:
    """Return the problem of an event that is ours: `failed`, `poison` or `refused` by the sink."""
    return Problem(reason, _document(500, detail))


def _document(status: int, detail: str, **more: Any) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


def letter(
    name: str, stream: str, event: Event, problem: Problem, model: Mapping[str, str], now: float
) -> Message:
    """Return the letter of `event`, whose id is `name`; `model` says which one, and its version."""
    value = event.value
    kept: dict[str, Any] = {"key": _text(event.key), "headers": _shown(event.headers)}
    if value is None:
        kept["value"] = None
    else:
        part = value[:KEPT_BYTES]
        text = _text(part)
        kept |= text if isinstance(text, dict) else {"value": text}
        if len(part) < len(value):
            kept |= {"truncated": True, "bytes": len(value)}
    body = {
        "id": name,
        "time": _moment(now),
        "reason": problem.reason,
        "problem": problem.document,
        "source": {
            "stream": stream,
            "partition": event.partition,
            "offset": event.offset,
            "time": None if event.time is None else _moment(event.time),
        },
        **model,
        "errors": problem.bad,
        "event": kept,
    }
    return Message(encode(body).rstrip(), event.key, [])


def id_of(message: Message) -> str:
    """Return the id of a prediction or a letter."""
    return str(orjson.loads(message.value)["id"])


def _text(value: bytes | None) -> Any:
    """Return bytes as text, or as {"value_base64": ...} where they are none."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode()}


def _shown(headers: Headers) -> list[list[Any]]:
    return [
        [name, _text(value[:_HEADER_BYTES] if value else value)]
        for name, value in headers[:_KEPT_HEADERS]
        if not secret_header(name)
    ]


def secret_header(name: str) -> bool:
    """Return whether a header of that name is likely to hold a secret."""
    plain = name.lower().replace("-", "_")
    return is_secret(plain) or any(word in plain for word in _SECRET_HEADERS)


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):  # a clock can say anything
        return str(seconds)
