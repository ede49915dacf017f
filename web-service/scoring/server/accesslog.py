"""One line a request on the standard output: JSON for machines, words for a terminal.

Lines of one turn of the event loop go out in one write, so that the log costs little more than its
bytes. A value cannot break its line: in JSON a newline is escaped, in words it is shown as one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Final, NamedTuple

import orjson

from scoring.settings import Settings

_STDOUT: Final = 1
_BAD: Final = 400  # the first status that is an error's


class Entry(NamedTuple):
    """What is told of a request; `model` and `version` are of the model that answered, if any."""

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
    """Writes entries. Used from the event loop alone."""

    def __init__(self, *, human: bool, errors_only: bool = False) -> None:
        self._human = human
        self._errors_only = errors_only
        self._lines: list[bytes] = []
        self._pid = 0
        self._second = 0
        self._time = ""

    @classmethod
    def of(cls, settings: Settings) -> AccessLog | None:
        """Gives the log that `settings` asks for; None where it is off."""
        if settings.access_log == "off":
            return None
        return cls(human=is_human(settings), errors_only=settings.access_log == "errors")

    def write(self, entry: Entry) -> None:
        """Notes `entry`; it goes out with the others of this turn of the loop."""
        if self._errors_only and entry.status < _BAD:
            return
        if not self._lines:
            self._pid = os.getpid()
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(self._words(entry) if self._human else self._json(entry))

    def flush(self) -> None:
        """Writes what is noted. Whoever reads the output and has gone loses it, not the service."""
        data, self._lines = b"".join(self._lines), []
        try:
            while data:
                data = data[os.write(_STDOUT, data) :]
        except OSError:
            return

    def _json(self, entry: Entry) -> bytes:
        # written out, as each part is known to need no escapes, but for what the caller chose
        model, version = entry.model, entry.version
        more = f',"key":"{entry.key}"' if entry.key else ""
        more += f',"trace_id":"{entry.trace_id}"' if entry.trace_id else ""
        return (
            f'{{"time":"{self._now()}","level":"info","event":"request",'
            f'"request_id":"{entry.request_id}","client":"{entry.client}",'
            f'"method":{_text(entry.method)},"target":{_text(entry.target)},'
            f'"route":"{entry.route}","status":{entry.status},"ms":{entry.ms:.3f},'
            f'"model":{_text(model)},"version":{_text(version)}{more},"pid":{self._pid}}}\n'
        ).encode()

    def _words(self, entry: Entry) -> bytes:
        line = (
            f"{self._now()} {self._pid} INFO {entry.client} {entry.method} {entry.target} "
            f"{entry.status} {entry.ms:.1f}ms {entry.request_id}"
        )
        return printable(line).encode() + b"\n"

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._time = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._time}.{int((now - second) * 1000):03}Z"


def _text(value: str | None) -> str:
    return orjson.dumps(value).decode()


def is_human(settings: Settings) -> bool:
    """Says whether a person reads the standard output."""
    if settings.log_format == "auto":
        return sys.stdout.isatty()
    return settings.log_format == "text"


def printable(line: str) -> str:
    """Shows what would break a line or move a terminal's cursor as its escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
