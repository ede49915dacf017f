"""Data in a bucket of a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline import run as module
from pipeline.errors import PipelineError, UsageError
from pipeline.reasons import Nothing
from pipeline.run import run
from tests.pipeline.support import asked, copied, months

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # the test server's own
]


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
    client = boto3.client("s3")
    client.create_bucket(Bucket="lake")
    yield client
    server.stop()


def test_a_prefix_is_downloaded_once_and_an_object_that_changed_again(
    tmp_path: Path, good: Path, lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second call does nothing; other bytes under the same name are a reason to run."""
    monkeypatch.setattr(module, "fit", copied(good))
    for file in months(tmp_path, 3):
        lake.upload_file(str(file), "lake", f"trips/{file.name}")
    lake.put_object(Bucket="lake", Key="trips/notes.txt", Body=b"")
    call = asked(tmp_path, ["s3://lake/trips/"])
    assert run(call)["state"] == "promoted"
    kept = call.runs.folder / "objects/lake/trips/trips-2021-03.parquet"
    before = kept.stat().st_mtime_ns
    with pytest.raises(Nothing):
        run(call)
    assert kept.stat().st_mtime_ns == before
    lake.upload_file(str(months(tmp_path, 3, rows=300)[-1]), "lake", f"trips/{kept.name}")
    assert run(call)["why"].startswith("other bytes than in run 000001-")


def test_a_prefix_without_data_and_a_bucket_that_is_not_there_are_named(
    tmp_path: Path, lake: Any
) -> None:
    """The first is wrong usage, the second a failure."""
    with pytest.raises(UsageError, match=r"s3://lake/none holds no \.parquet"):
        run(asked(tmp_path, ["s3://lake/none"]))
    with pytest.raises(PipelineError, match=r"s3://no-such/x cannot be read: .*NoSuchBucket"):
        run(asked(tmp_path, ["s3://no-such/x"]))
