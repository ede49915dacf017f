"""What was at hand when the process died, so that an event which kills it is found.

Before a batch is scored its place is noted, and taken away once the batch is final; a process that
is killed leaves it. The next one takes the events of that place one at a time: only where the
process ends at the same event twice more is that event put aside. The file is written without
waiting for the disk, as it is to outlive a process and not a machine.

Workers beside each other take a slot each, which also is the end of their name.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from streaming.errors import StreamError
from streaming.interface import Event

_SLOTS: Final = 1000
_DEATHS: Final = 2  # of the process, while one event was alone at hand

# partition -> first and last offset
Spans = dict[str, tuple[str, str]]


class Journal:
    """The journal of one worker; made by `take`."""

    def __init__(self, slot: int, file: int) -> None:
        """`file` is an open file that this process has locked."""
        self.slot = slot
        self._file = file
        self._suspects: Spans = {}
        self._crashes: dict[str, int] = {}
        self.restarts = 0  # starts after an end that was none of ours
        self._read()

    @classmethod
    def take(cls, folder: Path, name: str) -> Journal:
        """Return the journal of the first free slot of `name` in `folder`; it stays this process's
        until it ends. Raises StreamError where the folder cannot be written."""
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:80]
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = folder.stat()
            if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o022:
                raise StreamError(f"{folder} can be written by others; set STREAM_STATE")
            for slot in range(_SLOTS):
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                file = os.open(folder / f"{stem}-{slot}.json", flags, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(file)
                else:
                    return cls(slot, file)
        except OSError as error:
            raise StreamError(
                f"{folder}: {error.strerror}; set STREAM_STATE to a folder that can be written"
            ) from error
        raise StreamError(f"{folder} has {_SLOTS} workers of {name} already")

    def begin(self, events: Sequence[Event]) -> None:
        """Note that `events` are at hand."""
        self._write(spans_of(events), alone=len(events) == 1)

    def end(self, events: Sequence[Event]) -> None:
        """Note that `events` are done."""
        if self._suspects or self._crashes:
            for event in events:
                self._crashes.pop(_place(event), None)
                span = self._suspects.get(str(event.partition))
                if span and _order(event.offset) >= _order(span[1]):
                    del self._suspects[str(event.partition)]
        self._write({})

    def may_suspect(self, events: Sequence[Event]) -> bool:
        """Return whether one of `events` may be a suspect; quicker than to ask for each."""
        return bool(self._suspects) or max(map(attrgetter("deliveries"), events), default=1) > 1

    def is_suspect(self, event: Event) -> bool:
        """Return whether `event` was at hand when a process died, so that it goes alone."""
        if event.deliveries > 1:
            return True
        span = self._suspects.get(str(event.partition)) if self._suspects else None
        return span is not None and _order(span[0]) <= _order(event.offset) <= _order(span[1])

    def is_poison(self, event: Event) -> bool:
        """Return whether the process died twice while `event` was alone at hand, here or, where the
        broker counts deliveries, anywhere."""
        deaths = self._crashes.get(_place(event), 0) if self._crashes else 0
        return max(deaths, event.deliveries - _DEATHS) >= _DEATHS

    def close(self) -> None:
        """Leave nothing at hand, and give the slot up."""
        self._write({})
        os.close(self._file)

    def _read(self) -> None:
        try:
            found = json.loads(os.pread(self._file, os.fstat(self._file).st_size, 0))
            self.restarts = int(found["restarts"])
            self._crashes = {str(place): int(count) for place, count in found["crashes"].items()}
            self._suspects = _spans(found["suspects"])
            now = _spans(found["now"])
            alone = bool(found["alone"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # new, or torn by the machine's end: nothing is known
        if not now:
            return
        self.restarts += 1
        if alone:
            [(partition, (offset, _))] = now.items()
            place = f"{partition}/{offset}"
            self._crashes[place] = self._crashes.get(place, 0) + 1
        for partition, (first, last) in now.items():
            known = self._suspects.get(partition, (first, last))
            self._suspects[partition] = (first, max(last, known[1], key=_order))
        self._write({})

    def _write(self, now: Spans, *, alone: bool = False) -> None:
        noted = {"now": now, "alone": alone, "suspects": self._suspects, "crashes": self._crashes,
                 "restarts": self.restarts}  # fmt: skip
        data = json.dumps(noted).encode()
        os.pwrite(self._file, data, 0)
        os.ftruncate(self._file, len(data))


def spans_of(events: Sequence[Event]) -> Spans:
    """Return the first and the last offset of each partition's events."""
    spans: Spans = {}
    first: Event | None = None
    last: Event | None = None
    for event in events:
        if last is None or event.partition != last.partition:
            if first is not None and last is not None:
                _add(spans, first, last)
            first = event
        last = event
    if first is not None and last is not None:
        _add(spans, first, last)
    return spans


def _add(spans: Spans, first: Event, last: Event) -> None:
    known = spans.get(str(first.partition))
    spans[str(first.partition)] = (known[0] if known else str(first.offset), str(last.offset))


def _place(event: Event) -> str:
    return f"{event.partition}/{event.offset}"


def _order(offset: int | str) -> tuple[int, ...]:
    return tuple(int(part) for part in str(offset).split("-"))


def _spans(found: Mapping[str, Any]) -> Spans:
    return {str(name): (str(first), str(last)) for name, (first, last) in found.items()}
