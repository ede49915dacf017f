"""Runs from and to a server that speaks S3: the same answers as on this disk, all or nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from tests.batch.conftest import Ended
from tests.batch.support import scored, write_rides

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the test server's own
]

Batch = Callable[..., Ended]


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a server that speaks S3, with an empty bucket `lake`; runs find the server."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)  # it keeps what others left
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket="lake")
    yield client
    server.stop()


def keys(lake: Any, prefix: str) -> list[str]:
    """Return the names of the objects below a prefix, in order."""
    found = lake.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
    return [item["Key"].removeprefix(prefix) for item in found if not item["Key"].endswith("/")]


def content(lake: Any, key: str) -> bytes:
    """Return an object's bytes."""
    return bytes(lake.get_object(Bucket="lake", Key=key)["Body"].read())


def test_a_folder_of_a_bucket_is_scored_as_a_folder_of_this_disk(
    batch: Batch, lake: Any, tmp_path: Path
) -> None:
    """Parts, rows and marks are the same; a finished run that is started again does nothing."""
    for name, count in (("a", 1200), ("b", 30)):
        path = tmp_path / "in" / f"{name}.parquet"
        write_rides(path, count)
        lake.upload_file(str(path), "lake", f"in/{name}.parquet")
    here = batch("ride", "in", "--output", "out")
    assert here.status == 0, here.err
    words = ("ride", "s3://lake/in/", "--output", "s3://lake/out/")
    there = batch(*words)
    assert there.status == 0, there.err
    names = keys(lake, "out/")
    assert "_SUCCESS" in names
    assert "run.json" in names
    assert not [name for name in names if name.startswith("_unfinished")]
    parts = sorted(name for name in names if name.endswith(".parquet"))
    rows = [
        row
        for part in parts
        for row in pq.read_table(io.BytesIO(content(lake, f"out/{part}"))).to_pylist()
    ]
    assert rows == scored(tmp_path / "out")
    said = json.loads(content(lake, "out/run.json"))
    assert said["totals"]["scored"] == 1230
    before = {name: content(lake, f"out/{name}") for name in names}
    again = batch(*words)
    assert again.status == 0, again.err
    assert {name: content(lake, f"out/{name}") for name in keys(lake, "out/")} == before


def test_what_is_not_in_the_bucket_is_named(batch: Batch, lake: Any) -> None:
    """Without a traceback, and nothing is written."""
    ended = batch("ride", "s3://lake/nothing/", "--output", "s3://lake/out/")
    assert ended.status != 0
    assert "s3://lake/nothing" in ended.err
    assert "Traceback" not in ended.err
    assert keys(lake, "out/") == []
    ended = batch("ride", "s3://no-such-bucket/in/", "--output", "s3://lake/out/")
    assert ended.status != 0
    assert "no-such-bucket" in ended.err
    assert "Traceback" not in ended.err


def test_a_store_that_is_away_is_named(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line says which place, and the run ends."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    ended = batch("ride", "s3://lake/in/", "--output", str(tmp_path / "out"))
    assert ended.status != 0
    assert "s3://lake/in" in ended.err
    assert "Traceback" not in ended.err
