"""Redis Streams: redis://HOST:6379/STREAM, rediss:// with TLS.

An entry has its event in the field `value` (another: ?field=NAME), its key in `key`; other fields
are headers. Workers of a group are consumers of a consumer group: each event goes to one of them,
in no order among several. What a worker leaves behind is claimed by the others after a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from msgspec.structs import replace
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from streaming.addresses import Address
from streaming.errors import BrokerUnavailable, UsageError
from streaming.interface import Event, Message, Refused
from streaming.settings import StreamSettings

_TIMEOUT_S: Final = 5.0
_CLAIM_EVERY_S: Final = 5.0
_TOUCH_EVERY_S: Final = 10.0
_PIPELINE: Final = 1000  # commands that are sent in one go

Entry = tuple[bytes, Mapping[bytes, bytes] | None]


@contextmanager
def _reached(address: Address) -> Iterator[None]:
    """Turn what redis-py raises into BrokerUnavailable."""
    try:
        yield
    except exceptions.RedisError as error:
        raise BrokerUnavailable(f"{address}: {str(error)[:300]}") from error


def _connect(address: Address, settings: StreamSettings, database: str) -> redis.Redis:
    """Return a client; it connects when it is used first."""
    host, _, port = address.hosts.rpartition(":") if ":" in address.hosts else (
        address.hosts, "", "6379")  # fmt: skip
    if not (port.isdigit() and database.isdigit()):
        raise UsageError(f"{address}: the port and ?db= are numbers")
    user, password = address.login or (None, None)
    return redis.Redis(
        host=host.strip("[]"),
        port=int(port),
        db=int(database),
        username=user or settings.redis_username,
        password=password or settings.redis_password,
        ssl=address.scheme == "rediss",
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),  # the worker waits, and shows it
    )


def source(address: Address, **who: Any) -> RedisSource:
    """Return a source of a stream's entries; `who` says settings, group, worker and start."""
    return RedisSource(address, **who)


def sink(address: Address, *, settings: StreamSettings) -> RedisSink:
    """Return a sink to a stream."""
    return RedisSink(address, settings)


class RedisSource:
    """The entries of a stream, as one consumer of a group."""

    def __init__(
        self, address: Address, *, settings: StreamSettings, group: str, worker: str,
        start: str = "earliest", **_: object,
    ) -> None:  # fmt: skip
        """Raise UsageError for options that there are not."""
        options = address.taken(db="0", field="value", claim="60")
        self.name = address.name
        self._address = address
        self._group = group
        self._worker = worker
        self._start = "0" if start == "earliest" else "$"
        self._field = options["field"].encode()
        try:
            self._claim_ms = int(float(options["claim"]) * 1000)
        except ValueError:
            raise UsageError(f"{address}: ?claim= is a number of seconds") from None
        self._redis = _connect(address, settings, options["db"])
        self._joined = False
        self._own: str | None = "0"  # entries that an earlier process of this name left; None: done
        self._claim_at = 0.0
        self._claim_from = "0-0"
        self._touched = time.monotonic()
        self._at_hand: list[str | int] = []

    def poll(self, limit: int, timeout_s: float) -> list[Event]:
        """Return entries: first what this name left unfinished, then what others did, then new."""
        with _reached(self._address):
            self._join()
            try:
                events = self._left() if self._own is not None else []
                events = events or self._claimed() or self._new(limit, timeout_s)
            except exceptions.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                self._joined, self._start = False, "0"  # the stream was deleted, and may come anew
                return []
            self._at_hand = [event.offset for event in events]
            self._touched = time.monotonic()
            return events

    def waiting(self) -> str | None:
        """Return None: a consumer of a group has nothing to wait for."""
        return None

    def commit(self, events: Sequence[Event]) -> None:
        """Acknowledge entries."""
        with _reached(self._address):
            try:
                self._redis.xack(self.name, self._group, *[event.offset for event in events])
            except exceptions.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
        self._at_hand = []

    def keep_alive(self) -> None:
        """Keep others from claiming what is at hand."""
        if not self._at_hand or time.monotonic() - self._touched < _TOUCH_EVERY_S:
            return
        self._touched = time.monotonic()
        try:
            self._redis.xclaim(self.name, self._group, self._worker, 0, self._at_hand,
                               idle=0, justid=True)  # fmt: skip
        except exceptions.RedisError:
            return  # poll and commit say what is wrong

    def lag(self) -> Mapping[str, int]:
        """Return how many entries nobody of the group has acknowledged."""
        with _reached(self._address):
            try:
                groups = self._redis.xinfo_groups(self.name)
            except exceptions.ResponseError:  # there is no such stream yet
                return {}
        for found in groups:
            if found["name"] == self._group.encode():
                new = found.get("lag")
                return {"0": int(found["pending"]) + int(new or 0)}
        return {}

    def close(self) -> None:
        """Leave the group, unless something is left to come again."""
        try:
            mine = self._redis.xpending_range(self.name, self._group, "-", "+", 1, self._worker)
            if not mine:
                self._redis.xgroup_delconsumer(self.name, self._group, self._worker)
        except exceptions.RedisError:
            pass  # nothing is lost by it
        self._redis.close()

    def _join(self) -> None:
        if self._joined:
            return
        try:
            self._redis.xgroup_create(self.name, self._group, self._start, mkstream=True)
        except exceptions.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._joined = True

    def _left(self) -> list[Event]:
        entries = self._read(self._own or "0", 1000, None)
        self._own = _id(entries[-1][0]) if entries else None
        return self._events(entries)

    def _new(self, limit: int, timeout_s: float) -> list[Event]:
        return self._events(self._read(">", limit, int(timeout_s * 1000)))

    def _read(self, after: str, limit: int, block_ms: int | None) -> list[Entry]:
        found = self._redis.xreadgroup(
            self._group, self._worker, {self.name: after}, count=limit, block=block_ms
        )
        streams = found.values() if isinstance(found, dict) else [pair[1] for pair in found or []]
        entries: list[Entry] = []
        for stream in streams:
            for part in [stream] if stream and isinstance(stream[0], tuple) else stream:
                entries += part if isinstance(part, list) else [part]
        return entries

    def _claimed(self) -> list[Event]:
        """Return one entry that another consumer has had for too long, with the number of times
        that it was handed out. One, so that no other is counted as well."""
        if time.monotonic() < self._claim_at:
            return []
        found = self._redis.xautoclaim(
            self.name, self._group, self._worker, self._claim_ms, self._claim_from, count=1
        )
        self._claim_from = _id(found[0])
        entries = found[1]
        if not entries:
            if self._claim_from == "0-0":
                self._claim_at = time.monotonic() + _CLAIM_EVERY_S
            return []
        name = _id(entries[0][0])
        [about] = self._redis.xpending_range(self.name, self._group, name, name, 1) or [{}]
        deliveries = int(about.get("times_delivered", 1))
        return [replace(event, deliveries=deliveries) for event in self._events(entries)]

    def _events(self, entries: Sequence[Entry]) -> list[Event]:
        events = []
        gone = []
        for entry, fields in entries:
            name = _id(entry)
            if not fields:  # deleted, and still pending; no entry is without fields
                gone.append(name)
                continue
            headers = [
                (field.decode("utf-8", "replace"), value)
                for field, value in fields.items()
                if field not in (self._field, b"key")
            ]
            moment = int(name.partition("-")[0]) / 1000
            value = fields.get(self._field)
            events.append(Event(value, fields.get(b"key"), headers, 0, name, moment))
        if gone:
            self._redis.xack(self.name, self._group, *gone)
        return events


def _id(found: bytes | str) -> str:
    return found.decode() if isinstance(found, bytes) else found


class RedisSink:
    """A stream to which messages are added; ?maxlen=N keeps about so many."""

    def __init__(self, address: Address, settings: StreamSettings) -> None:
        """Raise UsageError for options that there are not."""
        options = address.taken(db="0", field="value", maxlen="")
        if options["maxlen"] and not options["maxlen"].isdigit():
            raise UsageError(f"{address}: ?maxlen= is a number of entries")
        self._address = address
        self._field = options["field"].encode()
        self._maxlen = int(options["maxlen"]) if options["maxlen"] else None
        self._redis = _connect(address, settings, options["db"])
        self._pending: list[Message] = []

    def send(self, messages: Sequence[Message]) -> None:
        """Take messages for the next `flush`."""
        self._pending += messages

    def flush(self, _timeout_s: float) -> list[Refused]:
        """Add what was sent, in order; raises BrokerUnavailable where that is not acknowledged."""
        while self._pending:
            part = self._pending[:_PIPELINE]
            with _reached(self._address):
                pipe = self._redis.pipeline(transaction=True)  # all of them, or none
                for message in part:
                    pipe.xadd(self._address.name, self._fields(message), maxlen=self._maxlen)
                pipe.execute()
            del self._pending[: len(part)]
        return []

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _fields(self, message: Message) -> dict[Any, Any]:
        fields: dict[Any, Any] = {name: value or b"" for name, value in message.headers}
        if message.key is not None:
            fields[b"key"] = message.key
        fields[self._field] = message.value
        return fields
