"""Where a version's files lie, and how they come here: through the MLflow server, from a folder of
this machine, or from S3.

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

from scoring.registry.client import Client
from scoring.registry.errors import Failed, Refused
from scoring.registry.settings import RegistrySettings, without_credentials

_PROXY: Final = "/api/2.0/mlflow-artifacts/artifacts"
_CHUNK: Final = 256 * 1024


class Place(Protocol):
    """One version's files."""

    def list(self) -> dict[str, int | None]:
        """Gives the names of the files and their sizes in bytes, where the place knows them."""

    def read(self, name: str) -> Iterable[bytes]:
        """Gives one file's content in pieces."""


def locate(uri: str, client: Client, settings: RegistrySettings) -> Place:
    """Gives the place that `uri` means; raises Refused for one that is not ours to read."""
    parts = urlsplit(uri)
    shown = without_credentials(uri)[:300]
    if parts.scheme in ("mlflow-artifacts", "http", "https"):
        path = parts.path
        if parts.scheme != "mlflow-artifacts":
            path = path.partition(_PROXY)[2]
        host = urlsplit(client.server).hostname
        if parts.hostname not in (None, host) or not path:
            raise Refused(f"its files are at {shown}, which is not the registry's own store")
        return _Proxied(client, _clean(unquote(path), shown))
    if parts.scheme == "s3":
        return _S3(parts.netloc, _clean(parts.path, shown), settings)
    if parts.scheme in ("file", "") and parts.netloc in ("", "localhost"):
        return _Local(Path("/") / _clean(unquote(parts.path), shown), shown)
    raise Refused(
        f"its files are at {shown}; the service reads mlflow-artifacts:, s3: and file: locations"
    )


def fetch(place: Place, name: str, size: int | None, into: Path, *, limit: int) -> Path:
    """Writes the file `name` into the folder `into` and gives its path. Raises Refused where it is
    larger than `limit` bytes, Failed where it does not come whole or finds no room."""
    if size is not None and size > limit:
        raise Refused(f"{name} has {size} bytes; REGISTRY_MAX_BYTES is {limit}")
    target = into / name
    got = 0
    try:
        with target.open("xb") as file:
            for piece in place.read(name):
                got += len(piece)
                if got > limit:
                    raise Refused(f"{name} has more than {limit} bytes (REGISTRY_MAX_BYTES)")
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except requests.RequestException as error:
        raise Failed(f"the download of {name} broke off after {got} bytes") from error
    except FileNotFoundError as error:
        raise Failed(f"{name} is not there any more") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Failed(f"no room for {name}: {error.strerror} in REGISTRY_CACHE") from error
        raise Failed(f"{name} cannot be stored: {error.strerror}") from error
    if size is not None and got != size:
        raise Failed(f"{name} came with {got} of {size} bytes")
    return target


def _clean(path: str, shown: str) -> str:
    """Gives a path without the slash at its ends, or raises Refused: `..` and its like lead out of
    the place."""
    found = path.strip("/")
    steps = found.split("/")
    if any(step in ("", ".", "..") or re.search(r"[\x00-\x1f\\%?#]", step) for step in steps):
        raise Refused(f"its files are at {shown}, a path that is not plain")
    return found


def _plain(names: Iterable[tuple[str, int | None]]) -> dict[str, int | None]:
    """Refuses a listing that holds a name leading elsewhere: nobody makes one by mistake."""
    found = {}
    for name, size in names:
        if name in ("", ".", "..") or re.search(r"[\x00-\x1f\\/]", name):
            raise Refused(f"among its files is {name[:100]!r}, which is no plain name")
        found[name] = size
    return found


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
            raise Failed("the list of its files cannot be read") from error

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
            raise Refused(
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
            raise Refused(
                f"its files are at s3://{bucket}/{prefix} and boto3 is not installed here: build "
                "the image with --build-arg S3=1, or install boto3 where the service runs"
            ) from error
        self._errors = (BotoCoreError, ClientError)
        self._bucket, self._prefix = bucket, prefix
        config = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2})
        try:
            self._s3: Any = boto3.client(
                "s3", endpoint_url=settings.mlflow_s3_endpoint_url, config=config
            )
        except self._errors as error:
            raise self._failed(error) from error

    def list(self) -> dict[str, int | None]:
        start = f"{self._prefix}/"
        try:
            found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=start, Delimiter="/")
        except self._errors as error:
            raise self._failed(error) from error
        return _plain(
            (entry["Key"].removeprefix(start), int(entry["Size"]))
            for entry in found.get("Contents", [])
            if entry["Key"] != start
        )

    def read(self, name: str) -> Iterable[bytes]:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")
            yield from _pieces(found["Body"])
        except self._errors as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Failed:
        # botocore's messages hold a bucket, a code and no secret
        return Failed(f"s3://{self._bucket}: {' '.join(str(error).split())[:300]}")


def _pieces(file: IO[bytes]) -> Iterable[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
