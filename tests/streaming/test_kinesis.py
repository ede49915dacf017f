"""A worker over Kinesis data streams, against moto's server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streaming.addresses import Address
from streaming.brokers import kinesis_places
from streaming.brokers.kinesis import KinesisSource
from streaming.errors import BatchLost, BrokerUnavailable
from streaming.interface import Message
from streaming.settings import StreamSettings
from tests.streaming.kinesis_server import Kinesis, event, kinesis_local
from tests.streaming.support import WorkerProcess, working
from tests.support import wait_for

pytestmark = pytest.mark.slow


def words(stream: str) -> list[str]:
    return ["ride", "--source", f"kinesis://{stream}", "--sink", f"kinesis://{stream}-out",
            "--dead-letters", f"kinesis://{stream}-dead", "--record", "ride",
            "--id", "ride_id"]  # fmt: skip


def test_predictions_keep_the_partition_key_and_a_killed_worker_goes_on(
    kinesis: Kinesis, models_dir: Path, tmp_path: Path
) -> None:
    """From the place in its file: nothing is lost; what it had at hand may come twice, with the
    same ids."""
    kinesis.make("rides", "rides-out", "rides-dead")
    kinesis.feed("rides", [event(number) for number in range(300)])
    worker = WorkerProcess(tmp_path, models_dir, *words("rides"), **kinesis.settings)
    try:
        worker.start()
        wait_for(lambda: len(kinesis.values("rides-out")) >= 300, "predictions", 180)
        worker.kill()
        kinesis.feed("rides", [event(number) if number else b"{" for number in range(300)])
        worker.start()
        wait_for(lambda: len({v["id"] for v in kinesis.values("rides-out")}) == 599, "all", 180)
        wait_for(lambda: kinesis.values("rides-dead"), "the dead letter")
        assert worker.stop() == 0
    finally:
        if worker.process.poll() is None:
            worker.kill()
    keys = {number: record["PartitionKey"] for number, record in kinesis.numbered("rides")}
    for record in kinesis.records("rides-out"):
        found = json.loads(record["Data"])
        assert record["PartitionKey"] == keys[found["id"]]
        assert found["event_id"] == str(int(found["event_id"]))


class Split:
    """boto3's client of a stream whose one shard was split: as much of it as a source asks."""

    def __init__(self) -> None:
        self.records = {"old": ["1", "2"], "left": ["3"], "right": ["4"]}
        self.read: list[str] = []

    def get_paginator(self, _: str) -> Split:
        return self

    def paginate(self, **_: Any) -> list[Any]:
        children = [{"ShardId": name, "ParentShardId": "old"} for name in ("left", "right")]
        return [{"Shards": [*children, {"ShardId": "old"}]}]

    def get_shard_iterator(self, **given: Any) -> dict[str, str]:
        return {"ShardIterator": f"{given['ShardId']}:{given.get('StartingSequenceNumber', '0')}"}

    def get_records(self, **given: Any) -> dict[str, Any]:
        shard, _, after = given["ShardIterator"].partition(":")
        left = [number for number in self.records[shard] if int(number) > int(after)]
        self.read.append(shard)
        page = left[: given["Limit"]]
        more = {"NextShardIterator": f"{shard}:{page[-1]}"} if len(left) > len(page) else {}
        found = [
            {"Data": b"{}", "PartitionKey": "k", "SequenceNumber": number,
             "ApproximateArrivalTimestamp": datetime.now(UTC)}
            for number in page
        ]  # fmt: skip
        return {"Records": found, **more}


def test_children_of_a_split_shard_are_read_once_it_is_committed(tmp_path: Path) -> None:
    """So that each key's events stay in order, also after a new start; a shard that is done is not
    read again."""
    address = Address.parse("kinesis://rides")
    settings = StreamSettings(stream_state=tmp_path)
    order = []
    for _ in range(2):  # the second as after a kill
        source = KinesisSource(address, settings=settings, group="g")
        source._client = client = Split()
        for _ in range(6):
            events = source.poll(1, 0)
            order += [event.offset for event in events]
            source.commit(events)
    assert order == ["1", "2", "3", "4"]
    assert "old" not in client.read


def test_a_stream_is_split_and_merged_while_it_is_read(models_dir: Path, tmp_path: Path) -> None:
    """Each event has one prediction, and each key's are in the order of its events."""
    with kinesis_local(tmp_path) as server:
        server.make("rides", "rides-out", "rides-dead", shards=1)
        every = words("rides")
        with working(tmp_path, models_dir, *every, **server.settings):
            total = 0
            for turn in range(3):
                server.feed("rides", [event(number) for number in range(total, total + 100)])
                total += 100
                wait_for(lambda total=total: len(server.values("rides-out")) == total, "all", 180)  # type: ignore[misc]
                if turn < 2:
                    server.client.update_shard_count(
                        StreamName="rides", TargetShardCount=2 - turn, ScalingType="UNIFORM_SCALING"
                    )
                    server.active("rides")
        shards = server.client.list_shards(StreamName="rides")["Shards"]
        found = server.values("rides-out")
    assert len(shards) > 3
    assert len({one["id"] for one in found}) == len(found) == 300
    numbers = [int(one["event_id"]) for one in found]
    assert all(numbers.index(n) < numbers.index(n + 100) for n in range(200))


def sources(kinesis: Kinesis, folder: Path, *workers: str) -> list[KinesisSource]:
    """Return sources that share the stream `shared` by leases."""
    address = Address.parse("kinesis://shared?leases=scorers&region=eu-west-1")
    settings = StreamSettings(stream_state=folder)
    return [KinesisSource(address, settings=settings, group="g", worker=one) for one in workers]


@pytest.fixture
def quick_leases(monkeypatch: pytest.MonkeyPatch, kinesis: Kinesis) -> Iterator[None]:
    """Leases that run out soon, of a stream with four shards and a record in each of 40 keys."""
    monkeypatch.setattr(kinesis_places, "RENEW_S", 0.0)
    monkeypatch.setattr(kinesis_places, "EXPIRES_S", 0.5)
    monkeypatch.setattr("streaming.brokers.kinesis._READS_EVERY_S", 0.0)
    for name, value in kinesis.settings.items():
        monkeypatch.setenv(name, value)
    kinesis.make("shared", shards=4)
    kinesis.client.put_records(StreamName="shared", Records=[
        {"Data": b"{}", "PartitionKey": f"k{n}"} for n in range(40)])  # fmt: skip
    yield
    kinesis.client.delete_stream(StreamName="shared")
    kinesis.client_of("dynamodb").delete_table(TableName="scorers")


@pytest.mark.usefixtures("quick_leases")
def test_workers_share_shards_by_leases(kinesis: Kinesis, tmp_path: Path) -> None:
    """One that comes takes its share, one that leaves gives it back; nothing is read twice where
    both end well."""
    one, two = sources(kinesis, tmp_path, "one", "two")
    read = one.poll(100, 0)
    one.commit(read)
    assert len(read) == 40
    assert len(one.lag()) == 4

    def shared() -> bool:
        assert one.poll(100, 0) == two.poll(100, 0) == []
        return len(one.lag()) == len(two.lag()) == 2

    wait_for(shared, "each to have two shards")
    two.close()
    wait_for(lambda: one.poll(100, 0) == [] and len(one.lag()) == 4, "the first to have all")


@pytest.mark.usefixtures("quick_leases")
def test_the_leases_of_a_killed_worker_run_out(kinesis: Kinesis, tmp_path: Path) -> None:
    """Another has its shards then, from where it was; what the first did not commit comes again,
    and the first, should it live, cannot commit it any more."""
    one, two = sources(kinesis, tmp_path, "one", "one")  # of one name, too
    read = one.poll(100, 0)
    assert len(read) == 40
    taken: list[Any] = []

    def all_taken() -> bool:
        taken.extend(two.poll(100, 0))
        return len(taken) == 40

    wait_for(all_taken, "the leases to run out")
    two.commit(taken)
    with pytest.raises(BatchLost, match="another worker"):
        one.commit(read)
    two.close()
    [three] = sources(kinesis, tmp_path, "three")
    assert three.poll(100, 0) == []


@pytest.mark.usefixtures("quick_leases")
def test_a_slow_worker_keeps_its_leases(kinesis: Kinesis, tmp_path: Path) -> None:
    """As long as it shows that it is alive, and as far as they are its share."""
    one, two = sources(kinesis, tmp_path, "one", "two")
    one.commit(one.poll(100, 0))
    until = time.monotonic() + 2 * kinesis_places.EXPIRES_S
    while time.monotonic() < until or len(two.lag()) < 2:
        one.keep_alive()
        assert two.poll(100, 0) == []
        assert len(two.lag()) <= 2


def test_a_stream_that_is_not_there_is_waited_for(
    kinesis: Kinesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With AWS's words."""
    for name, value in kinesis.settings.items():
        monkeypatch.setenv(name, value)
    source = KinesisSource(
        Address.parse("kinesis://absent"), settings=StreamSettings(stream_state=tmp_path), group="g"
    )
    with pytest.raises(BrokerUnavailable, match="ResourceNotFoundException"):
        source.poll(10, 0)


class Shards:
    """A client of Kinesis that answers as it is told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.put: list[int] = []

    def put_records(self, Records: list[Any], **_: str) -> Any:  # noqa: N803
        self.put.append(len(Records))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return {"Records": [answer, *({} for _ in Records[1:])]}


def test_a_sink_puts_what_was_throttled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In calls of as many bytes as one takes; what is too large for any is told."""
    from botocore.exceptions import EndpointConnectionError

    from streaming.brokers import kinesis as module

    client = Shards(
        EndpointConnectionError(endpoint_url="http://h"),
        {"ErrorCode": "ProvisionedThroughputExceededException"},
    )
    monkeypatch.setattr(module, "_client", lambda _: client)
    sink = module.KinesisSink(Address.parse("kinesis://out"))
    large = [Message(b"x" * 900_000, key, ()) for key in (b"a", None, b"c", b"d", b"e")]
    sink.send([*large, Message(b"x" * 1_000_001, None, ())])
    with pytest.raises(BrokerUnavailable, match="Could not connect"):
        sink.flush(1)
    with pytest.raises(BrokerUnavailable, match="1 records: ProvisionedThroughput"):
        sink.flush(1)
    [refused] = sink.flush(1)
    assert refused.reason == "1000001 bytes; Kinesis takes 1000000"
    assert client.put == [4, 4, 2]
    sink.close()


def test_a_read_that_took_too_long_ago_is_begun_anew(
    kinesis: Kinesis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An iterator ends after five minutes; the shard is read on where it was."""
    from botocore.exceptions import ClientError

    for name, value in kinesis.settings.items():
        monkeypatch.setenv(name, value)
    kinesis.make("expired", shards=1)
    kinesis.feed("expired", [b"1"])
    source = KinesisSource(
        Address.parse("kinesis://expired"), settings=StreamSettings(stream_state=tmp_path),
        group="g", worker="one",
    )  # fmt: skip
    assert [event.value for event in source.poll(10, 0)] == [b"1"]
    kinesis.feed("expired", [b"2"])
    real = source._client.get_records

    def expired(**_: Any) -> None:
        monkeypatch.setattr(source._client, "get_records", real)
        raise ClientError({"Error": {"Code": "ExpiredIteratorException", "Message": ""}}, "x")

    monkeypatch.setattr(source._client, "get_records", expired)
    assert source.poll(10, 0) == []
    assert [event.value for event in source.poll(10, 0)] == [b"2"]

    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "x")

    monkeypatch.setattr(source._client, "get_records", refused)
    with pytest.raises(BrokerUnavailable, match="AccessDenied: no"):
        source.poll(10, 0)
    source.close()
