"""A worker over Kinesis data streams, against moto's server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from scoring.errors import SettingsError
from streaming.addresses import Address
from streaming.aws_lambda import Handler
from streaming.brokers.kinesis import KinesisSource
from streaming.errors import BrokerUnavailable
from streaming.settings import StreamSettings
from tests.streaming.support import WorkerProcess, ride
from tests.support import wait_for

pytestmark = pytest.mark.slow


class Kinesis:
    """A server's streams, as tests read and write them."""

    def __init__(self, port: int) -> None:
        self.settings = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }  # fmt: skip
        self.client = boto3.client(
            "kinesis", endpoint_url=self.settings["AWS_ENDPOINT_URL"], region_name="eu-west-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def make(self, *streams: str, shards: int = 2) -> None:
        for stream in streams:
            self.client.create_stream(StreamName=stream, ShardCount=shards)

    def feed(self, stream: str, values: list[bytes]) -> None:
        records = [{"Data": v, "PartitionKey": f"k{n % 20}"} for n, v in enumerate(values)]
        for start in range(0, len(records), 400):
            found = self.client.put_records(StreamName=stream, Records=records[start : start + 400])
            assert found["FailedRecordCount"] == 0

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [record for _, record in self.numbered(stream)]

    def numbered(self, stream: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the records with the ids that their predictions have."""
        found = []
        for shard in self.client.list_shards(StreamName=stream)["Shards"]:
            iterator = self.client.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = self.client.get_records(ShardIterator=iterator, Limit=10_000)
                for record in page["Records"]:
                    name = f"{stream}/{shard['ShardId']}/{record['SequenceNumber']}"
                    found.append((name, record))
                iterator = page["NextShardIterator"] if page["Records"] else None
        return found

    def values(self, stream: str) -> list[dict[str, Any]]:
        return [json.loads(record["Data"]) for record in self.records(stream)]


@pytest.fixture(scope="module")
def kinesis() -> Iterator[Kinesis]:
    """moto's server, in threads of this process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield Kinesis(port)
    server.stop()


def words(stream: str) -> list[str]:
    return ["ride", "--source", f"kinesis://{stream}", "--sink", f"kinesis://{stream}-out",
            "--dead-letters", f"kinesis://{stream}-dead", "--record", "ride",
            "--id", "ride_id"]  # fmt: skip


def event(number: int) -> bytes:
    """Return the tutorial's event."""
    return json.dumps({"ride": json.loads(ride(number)), "ride_id": number}).encode()


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
        wait_for(lambda: len(kinesis.values("rides-out")) >= 300, "predictions", 60)
        worker.kill()
        kinesis.feed("rides", [event(number) if number else b"{" for number in range(300)])
        worker.start()
        wait_for(lambda: len({v["id"] for v in kinesis.values("rides-out")}) == 599, "all", 60)
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


def of_lambda(*values: bytes) -> dict[str, Any]:
    """Return what Lambda calls a handler with."""
    return {"Records": [
        {"eventID": f"shardId-000000000000:{place}", "eventSourceARN": "arn:aws:x:stream/rides",
         "kinesis": {"data": base64.b64encode(value).decode(), "partitionKey": "1",
                     "sequenceNumber": str(place), "approximateArrivalTimestamp": 1700000000.5}}
        for place, value in enumerate(values)
    ]}  # fmt: skip


def test_a_lambda_function_answers_as_the_worker(
    kinesis: Kinesis, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad event becomes a dead letter and blocks nothing; what cannot be sent is reported."""
    for name, value in kinesis.settings.items():
        monkeypatch.setenv(name, value)
    kinesis.make("fn-out", "fn-dead")
    environ = {
        "MODELS_DIR": str(models_dir), "STREAM_MODEL": "ride", "STREAM_RECORD": "ride",
        "STREAM_ID": "ride_id", "STREAM_SINK": "kinesis://fn-out",
        "STREAM_DEAD_LETTERS": "kinesis://fn-dead",
    }  # fmt: skip
    handler = Handler.from_environment(environ)
    assert handler(of_lambda(event(1), b"{", event(2))) == {"batchItemFailures": []}
    assert [v["event_id"] for v in kinesis.values("fn-out")] == ["1", "2"]
    [letter] = kinesis.values("fn-dead")
    assert letter["id"] == "rides/shardId-000000000000/1"
    kinesis.client.delete_stream(StreamName="fn-out")
    assert handler(of_lambda(event(3))) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    with pytest.raises(SettingsError, match="STREAM_SINK"):
        Handler.from_environment({**environ, "STREAM_SINK": ""})
