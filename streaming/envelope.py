"""From an event to its record, id and time.

An event is the record itself as JSON; a CloudEvent 1.0, structured or with `ce_` headers; or an
envelope of another form, in which paths such as `data.ride` say what is where. A text in the place
of the record is JSON once more, or base64 of it, as Kinesis's own envelope has it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from scoring.errors import FieldError, InvalidRecords, NotJson, TooLarge
from scoring.limits import Limits
from scoring.values.strict_json import decode
from streaming.interface import Event, Headers

_LONGEST_ID: Final = 256  # characters
_MILLISECONDS: Final = 1e11  # a number of seconds that large is in the year 5138
_LATEST: Final = 253_402_300_800_000  # milliseconds: the year 10,000
_CLOUD: Final = b'"specversion"'


class Opened(Struct, frozen=True, gc=False):
    """What an event holds: `record` is its JSON text, or already a JSON value."""

    record: Any
    id: str | None = None
    time: float | None = None  # when it happened, seconds since 1970


@dataclass(frozen=True)
class Envelope:
    """Where record, id and time are; a path of names with dots between, None: the usual place."""

    record: str | None = None
    id: str | None = None
    time: str | None = None
    limits: Limits = field(default_factory=Limits)

    def open(self, event: Event) -> Opened:
        """Return what `event` holds, or raise a RequestError that says what is wrong."""
        value = event.value
        if value is None:
            raise NotJson("the event has no value; send a record as a JSON object")
        if len(value) > self.limits.max_body_bytes:
            raise TooLarge(
                f"the event has {len(value)} bytes; at most {self.limits.max_body_bytes} are taken"
            )
        plain = self._plain
        if plain and not event.headers and _CLOUD not in value:
            return Opened(value, None, event.time)
        cloud = _cloud_headers(event.headers)
        if plain and _CLOUD not in value:
            return Opened(value, cloud.get("id"), _seconds(cloud.get("time")) or event.time)
        body = decode(value)
        record: Any = body
        name, moment = cloud.get("id"), cloud.get("time")
        if isinstance(body, dict) and "specversion" in body and self.record is None:
            record, name, moment = _cloud(body), body.get("id"), body.get("time")
        if self.record is not None:
            record = _inner(_at(body, self.record), self.record)
        if self.id is not None:
            name = _there(body, self.id)
        if self.time is not None:
            moment = _there(body, self.time)
        return Opened(record, _name(name), _seconds(moment) or event.time)

    @cached_property
    def _plain(self) -> bool:
        return self.record is None and self.id is None and self.time is None


def _cloud(body: Mapping[str, Any]) -> Any:
    if body["specversion"] != "1.0":
        raise _wrong("specversion", "must be '1.0', the version of CloudEvents that is read")
    if "data_base64" in body:
        return _inner(body["data_base64"], "data_base64")
    if "data" not in body:
        raise _wrong("data", "is missing", "missing")
    return _inner(body["data"], "data")


def _cloud_headers(headers: Headers) -> dict[str, str]:
    """Return the attributes that a CloudEvent in Kafka's binary mode has as headers."""
    return {
        name[3:].lower(): value.decode("utf-8", "replace")
        for name, value in headers
        if name[:3].lower() in ("ce_", "ce-") and value is not None
    }


def _at(body: Any, path: str) -> Any:
    value = _there(body, path)
    if value is None:
        raise _wrong(path, "is missing in the event", "missing")
    return value


def _there(body: Any, path: str) -> Any:
    """Return what is at the path, None where there is nothing."""
    value = body
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _inner(value: Any, path: str) -> Any:
    """Return a record's value; a text is JSON, or base64 of it."""
    if not isinstance(value, str):
        return value
    text = value.lstrip()
    if text[:1] in ("{", "["):
        return decode(value.encode("utf-8", "replace"))
    try:
        return decode(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise _wrong(path, "must be an object, or a text with JSON or base64 of it") from None


def _wrong(path: str, problem: str, reason: Any = "type") -> InvalidRecords:
    line = FieldError.because(reason, path[:_LONGEST_ID], problem)
    return InvalidRecords("the event is not of the form that is expected", (line,))


def _name(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)[:_LONGEST_ID]


def _seconds(value: Any) -> float | None:
    """Return a time in RFC 3339 or as a number of seconds or milliseconds since 1970; None where it
    is none of these."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        if not abs(value) < _LATEST:  # also what is no number, and what no float can be
            return None
        return float(value) / 1000 if abs(value) > _MILLISECONDS else float(value)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.timestamp() if moment.tzinfo else None
