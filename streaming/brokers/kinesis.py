"""Kinesis data streams: kinesis://STREAM?region=eu-west-1.

Credentials, region and AWS_ENDPOINT_URL are boto3's. Shards are read in the order of their parents.
One worker keeps its place in STREAM_STATE; several share the shards by leases in a table of
DynamoDB, ?leases=TABLE.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from streaming.addresses import Address
from streaming.brokers.kinesis_places import END, FilePlaces, LeasePlaces, Places
from streaming.errors import BatchLost, BrokerUnavailable
from streaming.interface import Event, Message, Refused
from streaming.settings import StreamSettings

_READS_EVERY_S: Final = 0.2  # five reads a second of a shard are allowed
_SHARDS_EVERY_S: Final = 30.0
_PUT_RECORDS: Final = 500  # of one call, and 5 MB
_PUT_BYTES: Final = 4_000_000
_RECORD_BYTES: Final = 1_000_000


@contextlib.contextmanager
def _reached(address: Address) -> Iterator[None]:
    """Turn what boto3 raises into BrokerUnavailable."""
    try:
        yield
    except ClientError as error:
        about = error.response["Error"]
        raise BrokerUnavailable(f"{address}: {about['Code']}: {about['Message'][:300]}") from error
    except BotoCoreError as error:
        raise BrokerUnavailable(f"{address}: {str(error)[:300]}") from error


def _client(region: str, service: str = "kinesis") -> Any:
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    return boto3.client(service, region_name=region or None, config=config)


def source(address: Address, **who: Any) -> KinesisSource:
    """Return a source of a stream's records; `who` says settings, group, worker and start."""
    return KinesisSource(address, **who)


def sink(address: Address, *, settings: StreamSettings) -> KinesisSink:  # noqa: ARG001  # others' sinks need them
    """Return a sink to a stream."""
    return KinesisSink(address)


class KinesisSource:
    """The shards of a stream: all of them, or those whose leases are this worker's."""

    def __init__(
        self,
        address: Address,
        *,
        settings: StreamSettings,
        group: str,
        start: str = "earliest",
        worker: str = "",
        rebalanced: Callable[[], None] = lambda: None,
    ) -> None:
        """Raise UsageError for options that there are not."""
        options = address.taken(region="", leases="")
        self.name = address.name
        self._address = address
        self._client: Any = None
        self._region = options["region"]
        self._start = "TRIM_HORIZON" if start == "earliest" else "LATEST"
        self._rebalanced = rebalanced
        file = settings.stream_state / _file_name(group, address.name)
        # another start of the same name is another worker: the leases of the one before run out
        name = f"{worker}-{secrets.token_hex(4)}"
        self._open: Callable[[], Places] = lambda: (
            LeasePlaces(_client(self._region, "dynamodb"), options["leases"],
                        f"{group}/{address.name}", name)
            if options["leases"] else FilePlaces(file)
        )  # fmt: skip
        self._places: Places | None = None
        self._readable: set[str] = set()  # shards whose parents are done, and they are not
        self._starts: dict[str, str] = {}
        self._iterators: dict[str, str | None] = {}
        self._last: dict[str, str] = {}  # shard -> number of the last record that was polled
        self._behind: dict[str, int] = {}
        self._shards_at = 0.0
        self._read_at = 0.0

    def waiting(self) -> str | None:
        """Return None: nothing but the stream is needed; more workers than shards wait."""
        return None

    def poll(self, limit: int, timeout_s: float) -> list[Event]:
        """Return the next records of each shard in turn."""
        with _reached(self._address):
            places = self._place()
            self._look_for_shards(places)
            until = time.monotonic() + timeout_s
            while True:
                self._pace()
                self._share(places)
                events: list[Event] = []
                for shard in list(self._iterators):
                    if len(events) < limit:
                        events += self._records(places, shard, limit - len(events))
                if events or time.monotonic() > until:
                    return events

    def commit(self, events: Sequence[Event]) -> None:
        """Note the last record of each shard."""
        last = {str(event.partition): str(event.offset) for event in events}
        with _reached(self._address):
            self._place().save(last)

    def keep_alive(self) -> None:
        """Renew the leases."""
        with contextlib.suppress(BrokerUnavailable), _reached(self._address):
            self._share(self._place())

    def lag(self) -> Mapping[str, int]:
        """Return how many milliseconds each shard is behind its newest record: Kinesis does not say
        how many records wait."""
        return dict(self._behind)

    def close(self) -> None:
        """Give the leases back."""
        if self._places:
            with contextlib.suppress(BrokerUnavailable), _reached(self._address):
                self._places.close()

    def _place(self) -> Places:
        self._places = self._places or self._open()
        return self._places

    def _share(self, places: Places) -> None:
        """Begin with the shards that are this worker's now, and leave those that are not."""
        held = places.held(self._readable)
        for shard in sorted(self._iterators.keys() - held):
            del self._iterators[shard]
            self._behind.pop(shard, None)
            self._last.pop(shard, None)
            self._rebalanced()
        for shard in sorted((held & self._readable) - self._iterators.keys()):
            if places.of(shard) == END:  # another worker has read it
                self._readable.discard(shard)
                self._shards_at = 0.0
                continue
            self._iterators[shard] = self._iterator(places, shard)
            self._rebalanced()

    def _look_for_shards(self, places: Places) -> None:
        if self._client is None:
            self._client = _client(self._region)
        if time.monotonic() - self._shards_at < _SHARDS_EVERY_S:
            return
        places.held(self._readable)  # knows now what others have done
        pages = self._client.get_paginator("list_shards").paginate(StreamName=self.name)
        shards = [shard for page in pages for shard in page["Shards"]]
        names = {shard["ShardId"] for shard in shards}
        for shard in shards:
            name = shard["ShardId"]
            parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & names
            if places.of(name) == END:
                self._readable.discard(name)
            elif all(places.of(str(parent)) == END for parent in parents):
                # a child holds what came after its parents: none of it is passed over
                self._starts[name] = "TRIM_HORIZON" if parents else self._start
                self._readable.add(name)
        self._shards_at = time.monotonic()

    def _iterator(self, places: Places, shard: str) -> str:
        after = self._last.get(shard) or places.of(shard)
        where = {"ShardIteratorType": self._starts[shard]}
        if after:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        found = self._client.get_shard_iterator(StreamName=self.name, ShardId=shard, **where)
        return str(found["ShardIterator"])

    def _records(self, places: Places, shard: str, limit: int) -> list[Event]:
        iterator = self._iterators[shard]
        if iterator is None:  # at its end, and all of it committed by now
            with contextlib.suppress(BatchLost):
                places.save({shard: END})
            del self._iterators[shard]
            self._readable.discard(shard)
            self._shards_at = 0.0
            return []
        try:
            found = self._client.get_records(ShardIterator=iterator, Limit=limit)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExpiredIteratorException":
                raise
            self._iterators[shard] = self._iterator(places, shard)
            return []
        self._iterators[shard] = found.get("NextShardIterator")
        self._behind[shard] = int(found.get("MillisBehindLatest") or 0)
        events = [
            Event(
                record["Data"], record["PartitionKey"].encode(), (), shard,
                record["SequenceNumber"], record["ApproximateArrivalTimestamp"].timestamp(),
            )
            for record in found["Records"]
        ]  # fmt: skip
        if events:
            self._last[shard] = str(events[-1].offset)
        return events

    def _pace(self) -> None:
        time.sleep(max(0.0, self._read_at + _READS_EVERY_S - time.monotonic()))
        self._read_at = time.monotonic()


def _file_name(group: str, stream: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{group}-kinesis-{stream}.places.json")


class KinesisSink:
    """A stream that messages are put into, in order by key."""

    def __init__(self, address: Address) -> None:
        """Raise UsageError for options that there are not."""
        self._address = address
        self._region = address.taken(region="")["region"]
        self._client: Any = None
        self._pending: list[Message] = []
        self._refused: list[Refused] = []

    def send(self, messages: Sequence[Message]) -> None:
        """Take messages for the next `flush`."""
        for message in messages:
            if len(message.value) > _RECORD_BYTES:
                reason = f"{len(message.value)} bytes; Kinesis takes {_RECORD_BYTES}"
                self._refused.append(Refused(message, reason))
            else:
                self._pending.append(message)

    def flush(self, _timeout_s: float) -> list[Refused]:
        """Put what was sent, and what was throttled again; raises BrokerUnavailable where that is
        not all."""
        while self._pending:
            part = self._part()
            with _reached(self._address):
                self._client = self._client or _client(self._region)
                records = [{"Data": m.value, "PartitionKey": _key(m)} for m in part]
                found = self._client.put_records(StreamName=self._address.name, Records=records)
            answers = found["Records"]
            wrong = [
                message
                for message, answer in zip(part, answers, strict=True)
                if answer.get("ErrorCode")
            ]
            self._pending = wrong + self._pending[len(part) :]
            if wrong:
                code = next(answer["ErrorCode"] for answer in answers if answer.get("ErrorCode"))
                raise BrokerUnavailable(f"{self._address}: {len(wrong)} records: {code}")
        refused, self._refused = self._refused, []
        return refused

    def close(self) -> None:
        """Do nothing: there is no connection to give up."""

    def _part(self) -> list[Message]:
        size = 0
        for place, message in enumerate(self._pending[:_PUT_RECORDS]):
            size += len(message.value) + 256
            if size > _PUT_BYTES and place:
                return self._pending[:place]
        return self._pending[:_PUT_RECORDS]


def _key(message: Message) -> str:
    """Return the partition key; without one, the message's own bytes spread it."""
    if message.key:
        return message.key.decode("utf-8", "replace")[:256]
    return str(hash(message.value))
