"""`python -m streaming replay`: dead letters become events again, once what was wrong is mended.

Each letter's event goes to the sink as it was: value, key, headers, and a header with the letter's
id. Letters that come after the start are left: an event that is still bad would go round for ever.
"""

from __future__ import annotations

import argparse
import base64
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from scoring.process.usage import described
from streaming import brokers
from streaming.addresses import Address
from streaming.delivery import AtLeastOnce, Patience
from streaming.errors import BatchLost, BrokerUnavailable, GraceOver, UsageError
from streaming.health import Health
from streaming.interface import Event, Message, Sink, Source
from streaming.meter import Meter
from streaming.settings import StreamSettings
from streaming.stop import Stop

LETTER_HEADER: Final = "dead-letter-id"
_POLL_S: Final = 0.5
_BATCH: Final = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """The arguments, checked one by one."""

    source: Address
    sink: Address
    group: str
    reasons: tuple[str, ...]
    idle_s: float
    dry_run: bool


def parse(words: Sequence[str]) -> ReplayOptions:
    """Return the options; a wrong one ends the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m streaming replay",
        **described(
            "Send the events of dead letters through again: docs/streaming.md.",
            "python -m streaming replay --source redis://localhost:6379/churn-dead --sink "
            "redis://localhost:6379/customers --dry-run",
        ),
    )
    add = parser.add_argument
    add("--source", required=True, metavar="URL", help="the dead letters")
    add("--sink", required=True, metavar="URL", help="where their events came from")
    add("--group", default="replay", metavar="NAME",
        help="remembers which letters were sent (default: replay)")  # fmt: skip
    add("--reason", action="append", default=[], metavar="WORD",
        help="only letters of this reason; several times")  # fmt: skip
    add("--idle", type=float, default=5.0, metavar="SECONDS",
        help="end when no letter has come for so long (default: 5)")  # fmt: skip
    add("--dry-run", action="store_true", help="count the letters, send and remember nothing")
    given = parser.parse_args(words)
    source, sink = Address.parse(given.source), Address.parse(given.sink)
    if str(source) == str(sink):
        raise UsageError("--source and --sink are to be two streams")
    return ReplayOptions(
        source=source, sink=sink, group=given.group, reasons=tuple(given.reason),
        idle_s=given.idle, dry_run=given.dry_run,
    )  # fmt: skip


def replay(options: ReplayOptions, settings: StreamSettings, stop: Stop) -> Counter[str]:
    """Send what is there and return how many letters were `sent`, and why others were not.

    Raises StreamError.
    """
    source = brokers.open_source(
        options.source, settings=settings, group=options.group, worker="replay", start="earliest"
    )
    try:
        sink = brokers.open_sink(options.sink, settings=settings)
        try:
            return Replay(options, source, sink, stop).run()
        finally:
            sink.close()
    finally:
        source.close()


class Replay:
    """One replay, from a source of letters to a sink of events."""

    def __init__(self, options: ReplayOptions, source: Source, sink: Sink, stop: Stop) -> None:
        self._options = options
        self._source = source
        self._stop = stop
        self._patience = Patience(Health(), stop.grace_over)
        self._delivery = AtLeastOnce(
            source, sink, None, self._patience, Meter(), lambda _, one: one.message
        )
        self._sink = sink
        self._began = time.time()

    def run(self) -> Counter[str]:
        """Work until nothing comes any more, or a stop."""
        counts: Counter[str] = Counter()
        quiet = time.monotonic()
        while not self._stop.requested:
            try:
                letters = self._source.poll(_BATCH, _POLL_S)
            except BrokerUnavailable as error:
                self._patience.pause(
                    "source", error, 1.0, self._source.keep_alive, lambda: self._stop.requested
                )
                continue
            if self._source.waiting():
                quiet = time.monotonic()
            if not letters:
                if time.monotonic() - quiet > self._options.idle_s:
                    break
                continue
            quiet = time.monotonic()
            try:
                self._pass_on(letters, counts)
            except (BatchLost, GraceOver) as error:
                _log.warning("%d letters were not marked as sent: %s", len(letters), error)
        return counts

    def _pass_on(self, letters: Sequence[Event], counts: Counter[str]) -> None:
        done: list[Event] = []
        events: list[Message] = []
        found: Counter[str] = Counter()
        for letter in letters:
            event, why = event_of(letter, self._options.reasons, self._began)
            found[why] += 1
            if why == "later":
                continue  # not marked: the next replay begins with it
            done.append(letter)
            if event is not None:
                events.append(event)
        if self._options.dry_run:
            counts.update(found)
            return
        if done:
            refused = self._delivery.deliver(done, events, [])
            found.update({"sent": -refused, "refused": refused} if refused else {})
        counts.update(found)


def event_of(letter: Event, reasons: Sequence[str], began: float) -> tuple[Message | None, str]:
    """Return the event in a letter and `sent`; or None and why it is not sent: it is `no letter`,
    `truncated`, of `another reason`, or it came `later` than the replay began."""
    try:
        body = orjson.loads(letter.value or b"")
        event = body["event"]
        name, reason = str(body["id"]), str(body["reason"])
        if datetime.fromisoformat(body["time"]).timestamp() >= began:
            return None, "later"
        if event.get("truncated"):
            return None, "truncated"
        if reasons and reason not in reasons:
            return None, "another reason"
        value = _bytes(event)
        if value is None:
            return None, "without a value"
        key = event["key"]
        headers = [(str(head), _bytes({"value": text})) for head, text in event["headers"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, "no letter"
    return Message(
        value,
        None if key is None else _bytes({"value": key}),
        [*headers, (LETTER_HEADER, name.encode())],
    ), "sent"


def _bytes(found: dict[str, Any]) -> bytes | None:
    """Return the bytes that a letter holds as text, or as base64."""
    if "value_base64" in found:
        return base64.b64decode(found["value_base64"])
    value = found["value"]
    if isinstance(value, dict):
        return base64.b64decode(value["value_base64"])
    return None if value is None else str(value).encode()


def summary(counts: Counter[str]) -> str:
    """Return what a replay did, in words."""
    sent = counts["sent"]
    others = ", ".join(f"{count} {why}" for why, count in sorted(counts.items()) if why != "sent")
    return f"{sent} events sent" + (f"; left: {others}" if others else "")
