"""Where a version's files are, and how they come here: from the MLflow server, a folder or S3.

Only names that we ask for are fetched, each to a path that we chose; what a server says about names
and addresses is checked before it is used.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import requests

from scoring.process.settings import without_credentials
from scoring.registry.client import Client
from scoring.registry.errors import FetchFailed, VersionRejected
from scoring.registry.failures import reason, taken_from_outside, words
from scoring.registry.settings import RegistrySettings

_PROXY: Final = "/api/2.0/mlflow-artifacts/artifacts"
_CHUNK: Final = 256 * 1024
# A location as MLflow makes it: the path is not escaped, so that `#`, `?` and `%` are part of it.
_LOCATION: Final = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?(?://([^/]*))?(.*)", re.DOTALL)


class ArtifactStore(Protocol):
    """One version's files."""

    def list(self) -> dict[str, int | None]:
        """Return the names of the files and their sizes in bytes, where the store knows them."""

    def read(self, name: str) -> Iterable[bytes]:
        """Yield one file's content in pieces."""


def open_store(uri: str, client: Client, settings: RegistrySettings) -> ArtifactStore:
    """Return the store that `uri` means; raise VersionRejected for one that is not ours to read."""
    match = _LOCATION.fullmatch(uri)
    assert match is not None  # noqa: S101  # for the type checker: it matches any text
    scheme, netloc, path = match[1] or "", match[2] or "", match[3]
    shown = without_credentials(uri)[:300]
    if scheme in ("mlflow-artifacts", "http", "https"):
        if scheme != "mlflow-artifacts":
            path = path.partition(_PROXY)[2]
        host = urlsplit(client.server).hostname
        if (netloc and urlsplit(f"//{netloc}").hostname != host) or not path:
            raise VersionRejected(
                f"its files are at {shown}, which is not the registry's own store"
            )
        return _Proxied(client, _clean(_decoded(path), shown))
    if scheme == "s3":
        return _S3(netloc, _clean(path, shown), settings)
    if scheme in ("file", "") and netloc in ("", "localhost"):
        return _Local(Path("/") / _clean(unquote(path) if scheme else path, shown), shown)
    raise VersionRejected(
        f"its files are at {shown}; the service reads mlflow-artifacts:, s3: and file: locations"
    )


def fetch(store: ArtifactStore, name: str, size: int | None, into: Path, *, limit: int) -> Path:
    """Write the file `name` into the folder `into` and return its path.

    Raises VersionRejected where it is larger than `limit` bytes, FetchFailed where it does not come
    whole or finds no room.
    """
    if size is not None and size > limit:
        raise VersionRejected(f"{name} has {size} bytes; REGISTRY_MAX_BYTES is {limit}")
    target = into / name
    written = 0
    try:
        with target.open("xb") as file:
            for piece in store.read(name):
                written += len(piece)
                if written > limit:
                    raise VersionRejected(
                        f"{name} has more than {limit} bytes (REGISTRY_MAX_BYTES)"
                    )
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except requests.RequestException as error:
        raise FetchFailed(
            f"the download of {name} broke off after {written} bytes: {reason(error)}"
        ) from error
    except FileNotFoundError as error:
        raise FetchFailed(f"{name} is not there any more") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchFailed(f"no room for {name}: {error.strerror} in REGISTRY_CACHE") from error
        raise FetchFailed(f"{name} cannot be stored: {error.strerror}") from error
    if size is not None and written != size:
        raise FetchFailed(f"{name} came with {written} of {size} bytes")
    return target


def _decoded(path: str) -> str:
    """Return a path without percent escapes, however often it was escaped: so MLflow reads it."""
    while (decoded := unquote(path)) != path:
        path = decoded
    return path


def _clean(path: str, shown: str) -> str:
    """Return a path without slashes at its ends; raise VersionRejected if it leads elsewhere."""
    inner = path.strip("/")
    steps = inner.split("/")
    if any(step in ("", ".", "..") or re.search(r"[\x00-\x1f\\]", step) for step in steps):
        raise VersionRejected(f"its files are at {shown}, a path that is not plain")
    return inner


def _plain(names: Iterable[tuple[str, int | None]]) -> dict[str, int | None]:
    """Refuse a listing with a name that leads elsewhere: nobody makes one by mistake."""
    files = {}
    for name, size in names:
        if name in ("", ".", "..") or re.search(r"[\x00-\x1f\\/]", name):
            raise VersionRejected(f"it has a file {name[:100]!r}, which is not a plain file name")
        files[name] = size
    return files


class _Proxied:
    def __init__(self, client: Client, path: str) -> None:
        self._client, self._path = client, path

    def list(self) -> dict[str, int | None]:
        found = self._client.json(self._client.server + _PROXY, path=self._path).get("files", [])
        try:
            return _plain(
                (str(file["path"]), int(file["file_size"]) if "file_size" in file else None)
                for file in found
                if not file.get("is_dir")
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FetchFailed("the list of its files cannot be read") from error

    def read(self, name: str) -> Iterable[bytes]:
        url = f"{self._client.server}{_PROXY}/{quote(f'{self._path}/{name}')}"
        with self._client.open(url) as response:
            yield from response.iter_content(_CHUNK)


class _Local:
    def __init__(self, folder: Path, shown: str) -> None:
        self._folder, self._shown = folder, shown

    def list(self) -> dict[str, int | None]:
        try:
            found = [(path, path.lstat()) for path in self._folder.iterdir()]
        except OSError as error:
            raise VersionRejected(
                f"its files are at {self._shown}, which cannot be read here ({error.strerror}): "
                "on another machine the MLflow server must hand them out (--serve-artifacts)"
            ) from error
        return {path.name: s.st_size for path, s in found if stat.S_ISREG(s.st_mode)}

    def read(self, name: str) -> Iterable[bytes]:
        # links were left out of the list; this one may have been exchanged since
        handle = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            yield from _pieces(file)


class _S3:
    def __init__(self, bucket: str, prefix: str, settings: RegistrySettings) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ModuleNotFoundError as error:
            raise VersionRejected(
                f"its files are at s3://{bucket}/{prefix} and boto3 is not installed here: build "
                "the image with --build-arg S3=1, or install boto3 where the service runs"
            ) from error
        self._errors = (BotoCoreError, ClientError, ValueError)  # ValueError: a bad endpoint
        self._bucket, self._prefix = bucket, prefix
        # what boto3 takes from the environment and we do not set
        self._outside: tuple[str, ...] = (
            "AWS_PROFILE",
            "AWS_CA_BUNDLE",
            "HTTP_PROXY",
            "HTTPS_PROXY",
        )
        if not settings.mlflow_s3_endpoint_url:
            self._outside += ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        config = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2})
        try:
            self._s3: Any = boto3.client(
                "s3", endpoint_url=settings.mlflow_s3_endpoint_url, config=config
            )
        except self._errors as error:
            raise self._failed(error) from error

    def list(self) -> dict[str, int | None]:
        start = f"{self._prefix}/"
        listing = self._s3.get_paginator("list_objects_v2")
        try:
            pages = list(listing.paginate(Bucket=self._bucket, Prefix=start, Delimiter="/"))
        except self._errors as error:
            raise self._failed(error) from error
        return _plain(
            (entry["Key"].removeprefix(start), int(entry["Size"]))
            for page in pages
            for entry in page.get("Contents", [])
            if entry["Key"] != start
        )

    def read(self, name: str) -> Iterable[bytes]:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")
            yield from _pieces(found["Body"])
        except self._errors as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> FetchFailed:
        # botocore's messages hold a bucket, a code and no secret
        outside = taken_from_outside(*self._outside)
        return FetchFailed(f"s3://{self._bucket}: {words(str(error))}{outside}")


def _pieces(file: IO[bytes]) -> Iterable[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
