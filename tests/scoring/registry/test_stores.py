"""Where a version's files are: what is read, and what leads elsewhere and is not."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from scoring.registry.client import Client
from scoring.registry.errors import FetchFailed, VersionRejected
from scoring.registry.settings import RegistrySettings
from scoring.registry.stores import fetch, open_store
from serving.settings import Settings
from tests.scoring.registry.scripted import Registry, send
from tests.support import free_port

SERVER = "http://mlflow.example:5000"


def at(uri: str, **more: Any) -> Any:
    settings = Settings(mlflow_tracking_uri=SERVER, **more)
    return open_store(uri, Client(settings), settings)


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
        "mlflow-artifacts:/1/%252e%252e/secret",
        "/srv/../etc",
    ],
)
def test_a_place_that_leads_elsewhere_is_refused(uri: str) -> None:
    """`..`, another host, an unknown scheme: refused before anything is asked."""
    with pytest.raises(VersionRejected, match="its files are at"):
        at(uri)


def test_a_password_in_a_place_is_not_repeated() -> None:
    """A refusal may be read by others."""
    with pytest.raises(VersionRejected) as refused:
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
    with pytest.raises(FetchFailed, match=r"manifest\.json cannot be stored"):
        fetch(place, "manifest.json", 4, into, limit=4)
    with pytest.raises(FetchFailed, match="not there any more"):
        fetch(place, "gone", None, into, limit=4)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("plain#1", ""),
        ("100%", ""),
        ("%41 %23", ""),
        ("what?", ""),
        ("%2e%2e", ""),
        ("plain#1", "file://"),
        ("%2541", "file://"),
    ],
)
def test_a_folder_may_have_any_name(tmp_path: Path, name: str, scheme: str) -> None:
    """A path is taken as it is; a file: location is unescaped once."""
    folder = tmp_path / (name if not scheme else unquote(name))
    folder.mkdir()
    (folder / "model.pkl").write_bytes(b"1234")
    assert at(f"{scheme}{tmp_path}/{name}").list() == {"model.pkl": 4}


@pytest.mark.parametrize("folder", ["plain", "with space", "100%", "a#b", "a?b", "é", "a+b&c=d"])
def test_a_proxied_folder_may_have_any_name(registry: Registry, folder: str) -> None:
    """What is sent is what MLflow's own server reads as the folder's name, in list and file."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        path = unquote(parts.path).partition("/mlflow-artifacts/artifacts")[2]
        asked.append(parse_qs(parts.query).get("path", [path])[0])
        if parts.query:
            send(handler, 200, {"files": [{"path": "model #1%.pkl", "file_size": 4}]})
        else:
            send(handler, 200, 1234)

    registry.instead = answer
    settings = RegistrySettings(mlflow_tracking_uri=registry.url)
    store = open_store(f"mlflow-artifacts:/1/{folder}", Client(settings), settings)
    assert store.list() == {"model #1%.pkl": 4}
    assert b"".join(store.read("model #1%.pkl")) == b"1234"
    assert asked == [f"1/{folder}", f"/1/{folder}/model #1%.pkl"]


def test_a_folder_of_another_machine_says_what_to_do(tmp_path: Path) -> None:
    """That is what an MLflow server without proxied artifacts names."""
    with pytest.raises(VersionRejected, match="--serve-artifacts"):
        at(f"{tmp_path}/gone").list()


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """By its announced size at once, by its real size as soon as it is passed."""
    (tmp_path / "model.pkl").write_bytes(b"1234")
    place = at(str(tmp_path))
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(VersionRejected, match="REGISTRY_MAX_BYTES is 3"):
        fetch(place, "model.pkl", 4, into, limit=3)
    with pytest.raises(VersionRejected, match="more than 3 bytes"):
        fetch(place, "model.pkl", None, into, limit=3)


def test_without_boto3_an_s3_place_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image has none unless it was built with it."""
    real = builtins.__import__

    def without(name: str, *words: Any, **given: Any) -> Any:
        if name.startswith("boto"):
            raise ModuleNotFoundError(name=name)
        return real(name, *words, **given)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(VersionRejected, match="--build-arg S3=1"):
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
    with pytest.raises(FetchFailed, match=r"s3://models: .*NoSuchKey"):
        fetch(place, "gone", None, tmp_path, limit=4)
    for key in ("a#b", "100%", "%41 %23", "what?", "é", "a+b&c=d"):
        client.put_object(Bucket="models", Key=f"{key}/model.pkl", Body=b"1234")
        place = at(f"s3://models/{key}", mlflow_s3_endpoint_url=url)
        assert place.list() == {"model.pkl": 4}, key
        assert b"".join(place.read("model.pkl")) == b"1234"
    for number in range(1001):  # one more than a page of a listing holds
        client.put_object(Bucket="models", Key=f"many/{number}", Body=b"")
    assert len(at("s3://models/many", mlflow_s3_endpoint_url=url).list()) == 1001
    with pytest.raises(FetchFailed, match="NoSuchBucket"):
        at("s3://none/1", mlflow_s3_endpoint_url=url).list()


@pytest.mark.slow
def test_what_boto3_takes_from_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MLFLOW_S3_ENDPOINT_URL wins over AWS's own variables; what is not set by us is told."""
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ours, theirs = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", theirs)
    with pytest.raises(FetchFailed) as failed:
        at("s3://models/1").list()
    assert theirs in str(failed.value)
    assert "(with AWS_ENDPOINT_URL_S3 of the environment)" in str(failed.value)
    with pytest.raises(FetchFailed) as failed:
        at("s3://models/1", mlflow_s3_endpoint_url=ours).list()
    assert ours in str(failed.value)
    assert "environment" not in str(failed.value)
    with pytest.raises(FetchFailed, match="Invalid endpoint"):
        at("s3://models/1", mlflow_s3_endpoint_url="http://a b").list()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(FetchFailed, match=r"nobody.* \(with AWS_PROFILE of the environment\)"):
        at("s3://models/1", mlflow_s3_endpoint_url=ours)
