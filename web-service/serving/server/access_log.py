"""One line of the standard output for each answer: JSON for machines, words for a terminal.

Lines of one turn of the event loop go out in one write. A value cannot break its line: JSON escapes
a newline, and in words it is shown as its escape.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, Final, NamedTuple, Self

import orjson

from scoring.process.logs import is_human, printable
from serving.settings import Settings

_STDOUT: Final = 1
_ERROR: Final = 400  # the first status that is one


class AccessEntry(NamedTuple):
    """What is known of an answer; `model` and `version` are of the model that answered, if any."""

    request_id: str
    client: str
    method: str
    target: str  # path and query as they were sent
    route: str
    status: int
    ms: float
    model: str | None
    version: str | None
    key: str | None  # the name of the API key
    trace_id: str | None


class AccessLog:
    """Write entries. Used from the event loop alone."""

    def __init__(self, *, human: bool, errors_only: bool = False) -> None:
        """Write for a person or a machine, all answers or `errors_only`."""
        self._human = human
        self._errors_only = errors_only
        self._lines: list[bytes] = []
        self._pid = 0
        self._second = 0
        self._time = ""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Return the log that `settings` asks for, None where it is off."""
        if settings.access_log == "off":
            return None
        return cls(human=is_human(settings), errors_only=settings.access_log == "errors")

    def write(self, entry: AccessEntry) -> None:
        """Note `entry`; it is written with the others of this turn of the loop."""
        if self._errors_only and entry.status < _ERROR:
            return
        if not self._lines:
            self._pid = os.getpid()
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(self._words(entry) if self._human else self._json(entry))

    def flush(self) -> None:
        """Write what is noted. A reader of the output that is gone loses lines, not the service."""
        data, self._lines = b"".join(self._lines), []
        try:
            while data:
                data = data[os.write(_STDOUT, data) :]
        except OSError:
            return

    def _json(self, entry: AccessEntry) -> bytes:
        line: dict[str, Any] = {
            "time": self._now(),
            "level": "info",
            "event": "request",
            "request_id": entry.request_id,
            "client": entry.client,
            "method": entry.method,
            "target": entry.target,
            "route": entry.route,
            "status": entry.status,
            "ms": round(entry.ms, 3),
            "model": entry.model,
            "version": entry.version,
        }
        if entry.key:
            line["key"] = entry.key
        if entry.trace_id:
            line["trace_id"] = entry.trace_id
        line["pid"] = self._pid
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _words(self, entry: AccessEntry) -> bytes:
        line = (
            f"{self._now()} {self._pid} INFO {entry.client} {entry.method} {entry.target} "
            f"{entry.status} {entry.ms:.1f}ms {entry.request_id}"
        )
        if entry.key:
            line += f" key={entry.key}"
        return printable(line).encode() + b"\n"

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._time = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._time}.{int((now - second) * 1000):03}Z"
