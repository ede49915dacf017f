"""Where a version's files lie: what is read, and what leads elsewhere and is not."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.registry.client import Client
from scoring.registry.errors import Failed, Refused
from scoring.registry.places import fetch, locate
from scoring.settings import Settings

SERVER = "http://mlflow.example:5000"


def at(uri: str, **more: Any) -> Any:
    settings = Settings(mlflow_tracking_uri=SERVER, **more)
    return locate(uri, Client(settings), settings)


@pytest.mark.parametrize(
    "uri",
    [
        "mlflow-artifacts:/1/../../secret",
        "mlflow-artifacts:/1/%2e%2e/secret",
        "mlflow-artifacts:/1//artifacts",
        "mlflow-artifacts:/",
        "mlflow-artifacts://elsewhere.example/1/artifacts",
        "http://elsewhere.example/api/2.0/mlflow-artifacts/artifacts/1",
        f"{SERVER}/some/other/page",
        "s3://bucket/a/../b",
        "file://otherhost/srv/model",
        "ftp://mlflow.example/model",
        "models:/m-1",
        "/srv/../etc",
    ],
)
def test_a_place_that_leads_elsewhere_is_refused(uri: str) -> None:
    """`..`, another host, an unknown scheme: refused before anything is asked."""
    with pytest.raises(Refused, match="its files are at"):
        at(uri)


def test_a_password_in_a_place_is_not_repeated() -> None:
    """A refusal may be read by others."""
    with pytest.raises(Refused) as refused:
        at("ftp://me:hidden@mlflow.example/model")
    assert "hidden" not in str(refused.value)


def test_a_folder_of_this_machine_is_read_without_links(tmp_path: Path) -> None:
    """Regular files only: a link may lead anywhere, also one exchanged after the listing."""
    (tmp_path / "model.pkl").write_bytes(b"1234")
    (tmp_path / "manifest.json").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    into = tmp_path / "into"
    into.mkdir()
    place = at(f"file://{tmp_path}")
    assert place.list() == {"model.pkl": 4}
    assert fetch(place, "model.pkl", 4, into, limit=4).read_bytes() == b"1234"
    with pytest.raises(Failed, match=r"manifest\.json cannot be stored"):
        fetch(place, "manifest.json", 4, into, limit=4)
    with pytest.raises(Failed, match="not there any more"):
        fetch(place, "gone", None, into, limit=4)


def test_a_folder_of_another_machine_says_what_to_do(tmp_path: Path) -> None:
    """That is what an MLflow server without proxied artifacts names."""
    with pytest.raises(Refused, match="--serve-artifacts"):
        at(f"{tmp_path}/gone").list()


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """By its announced size at once, by its real size as soon as it is passed."""
    (tmp_path / "model.pkl").write_bytes(b"1234")
    place = at(str(tmp_path))
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Refused, match="REGISTRY_MAX_BYTES is 3"):
        fetch(place, "model.pkl", 4, into, limit=3)
    with pytest.raises(Refused, match="more than 3 bytes"):
        fetch(place, "model.pkl", None, into, limit=3)


def test_without_boto3_an_s3_place_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image has none unless it was built with it."""
    real = builtins.__import__

    def without(name: str, *words: Any, **given: Any) -> Any:
        if name.startswith("boto"):
            raise ModuleNotFoundError(name=name)
        return real(name, *words, **given)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Refused, match="--build-arg S3=1"):
        at("s3://bucket/model")


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Any]]:
    """A server that speaks S3; gives its address and a client."""
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "for-tests")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        yield url, boto3.client("s3", endpoint_url=url)
        server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_s3_place_is_read(s3: tuple[str, Any], tmp_path: Path) -> None:
    """Listed and fetched by boto3; what it cannot do is told without a traceback."""
    url, client = s3
    client.create_bucket(Bucket="models")
    client.put_object(Bucket="models", Key="1/artifacts/model.pkl", Body=b"1234")
    client.put_object(Bucket="models", Key="1/artifacts/deep/other", Body=b"1")
    place = at("s3://models/1/artifacts", mlflow_s3_endpoint_url=url)
    assert place.list() == {"model.pkl": 4}
    assert fetch(place, "model.pkl", 4, tmp_path, limit=4).read_bytes() == b"1234"
    with pytest.raises(Failed, match=r"s3://models: .*NoSuchKey"):
        fetch(place, "gone", None, tmp_path, limit=4)
    with pytest.raises(Failed, match="NoSuchBucket"):
        at("s3://none/1", mlflow_s3_endpoint_url=url).list()
