"""Servers that speak Kinesis's protocol: moto's, which has DynamoDB too, and kinesis-local, which
splits and merges shards."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from tests.streaming.support import ride
from tests.support import ROOT, free_port, skip_or_fail, wait_for
from tests.support.programs import installed

KINESIS_LOCAL = ROOT / "tests" / "streaming" / "kinesis-local"


class Kinesis:
    """A server's streams, as tests read and write them."""

    def __init__(self, port: int) -> None:
        self.settings = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }  # fmt: skip
        self.client = self.client_of("kinesis")

    def client_of(self, service: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.settings["AWS_ENDPOINT_URL"], region_name="eu-west-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def make(self, *streams: str, shards: int = 2) -> None:
        for stream in streams:
            self.client.create_stream(StreamName=stream, ShardCount=shards)
            self.active(stream)

    def active(self, stream: str) -> None:
        """Wait until a stream can be written."""
        wait_for(lambda: self._status(stream) == "ACTIVE", f"the stream {stream}")

    def _status(self, stream: str) -> str:
        found = self.client.describe_stream_summary(StreamName=stream)
        return str(found["StreamDescriptionSummary"]["StreamStatus"])

    def feed(self, stream: str, values: Sequence[bytes]) -> None:
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
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return found

    def values(self, stream: str) -> list[dict[str, Any]]:
        return [json.loads(record["Data"]) for record in self.records(stream)]


@contextlib.contextmanager
def moto_server() -> Iterator[Kinesis]:
    """Run moto's server in threads of this process until the block ends."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield Kinesis(port)
    server.stop()


@contextlib.contextmanager
def kinesis_local(folder: Path) -> Iterator[Kinesis]:
    """Run kinesis-local until the block ends; it writes to `folder`."""
    program = KINESIS_LOCAL / "node_modules" / "kinesis-local" / "main.js"
    node = installed("node")
    if not program.exists():
        skip_or_fail(f"kinesis-local is not installed: npm ci --prefix {KINESIS_LOCAL}")
    port = free_port()
    environ = {**os.environ, "KINESIS_MOCK_PLAIN_PORT": str(port), "LOG_LEVEL": "ERROR",
               "KINESIS_MOCK_TLS_PORT": str(free_port()), "AWS_REGION": "eu-west-1"}  # fmt: skip
    with (folder / "kinesis.log").open("wb") as log:
        # in its own folder, where its certificate is
        process = subprocess.Popen([node, str(program)], cwd=program.parent, env=environ,
                                   stdout=log, stderr=log)  # fmt: skip
    server = Kinesis(port)

    def answers() -> bool:
        with contextlib.suppress(Exception):
            return bool(server.client.list_streams())
        return False

    try:
        wait_for(answers, "kinesis-local to answer", 180)
        yield server
    finally:
        process.kill()
        process.wait(20)


def event(number: int) -> bytes:
    """Return the tutorial's event."""
    return json.dumps({"ride": json.loads(ride(number)), "ride_id": number}).encode()
