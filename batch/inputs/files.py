"""Names of inputs to files: on this disk, or wherever Arrow's file systems and fsspec reach."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs

from batch.errors import BatchError, UsageError

Format = Literal["parquet", "csv", "jsonl"]

_SUFFIXES: Final[dict[str, Format]] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PIPE: Final = (
    "{} is neither a file nor a folder: a run reads its input twice and may have to go on with it, "
    "so write it to a file first"
)
_PATTERN: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Source:
    """One input file. `modified` tells this content from another of the same size."""

    name: str  # as people know it
    path: str  # as its file system knows it
    format: Format
    compressed: bool
    size: int  # bytes
    modified: int  # ns since 1970
    partitions: tuple[tuple[str, str], ...] = ()  # of hive folders: year=2021


def file_system(uri: str) -> tuple[Any, str]:
    """Return the file system that `uri` names, and the path there. Raises UsageError for one that
    neither Arrow nor an installed fsspec package knows."""
    if not _URI.match(uri):
        return pafs.LocalFileSystem(), str(Path(uri).absolute())
    scheme, _, rest = uri.partition("://")
    try:
        if scheme == "s3" and (endpoint := _s3_endpoint()):
            return pafs.S3FileSystem(endpoint_override=endpoint, region=_region()), rest
        found: tuple[Any, str] = pafs.FileSystem.from_uri(uri)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _fsspec(uri, scheme)
    except OSError as error:
        raise BatchError(f"{uri} cannot be reached: {first_line(error)}") from error
    return found


def _s3_endpoint() -> str | None:
    given = os.environ.get
    return given("AWS_ENDPOINT_URL_S3") or given("AWS_ENDPOINT_URL") or given(
        "MLFLOW_S3_ENDPOINT_URL"
    )  # fmt: skip


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _fsspec(uri: str, scheme: str) -> tuple[Any, str]:
    try:
        import fsspec  # type: ignore[import-not-found]  # an extra

        made, path = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"{scheme}:// is not known here ({first_line(error)}); install fsspec and the package "
            f"that brings {scheme}, or copy the files to a place that Arrow reads (s3://, gs://, "
            "file://)"
        ) from error
    return pafs.PyFileSystem(pafs.FSSpecHandler(made)), path


def is_uri(name: str) -> bool:
    """Tell whether a place is named with its scheme (s3://...), and not as a path."""
    return bool(_URI.match(name))


def find(names: Sequence[str]) -> list[Source]:
    """Return the files that names, patterns and folders stand for, in the order given and, within
    one of them, of their names. Raises UsageError where a name stands for nothing, BatchError where
    a place cannot be read."""
    found: list[Source] = []
    for name in names:
        these = _of(name)
        if not these:
            raise UsageError(f"there is no file {name} that holds rows ({', '.join(_SUFFIXES)})")
        found += these
    seen: set[str] = set()
    twice = next((s.name for s in found if s.name in seen or seen.add(s.name)), None)  # type: ignore[func-returns-value]  # adds
    if twice:
        raise UsageError(f"{twice} is named twice; its rows would be scored twice")
    return found


def _of(name: str) -> list[Source]:
    if name == "-":
        raise UsageError(_PIPE.format("standard input"))
    files, path = file_system(name)
    head = name.partition("://")[0] + "://" if _URI.match(name) else ""
    local = isinstance(files, pafs.LocalFileSystem)
    # a file may have such a name: trips[1].csv
    pattern = None if local and Path(path).exists() else _PATTERN.search(path)
    try:
        if pattern and local:
            infos = files.get_file_info(sorted(map(str, Path("/").glob(path.lstrip("/")))))
            nested = [_within(files, info) for info in infos]
            return [_source(each, head, local, "") for group in nested for each in group]
        if pattern:
            base = path[: pattern.start()].rpartition("/")[0]
            infos = files.get_file_info(pafs.FileSelector(base, recursive=True))
            wanted = [i for i in infos if i.is_file and fnmatch.fnmatchcase(i.path, path)]
            return [_source(i, head, local, "") for i in sorted(wanted, key=lambda i: i.path)]
        info = files.get_file_info(path)
        return [_source(each, head, local, path) for each in _within(files, info)]
    except OSError as error:
        raise BatchError(f"{name} cannot be read: {first_line(error)}") from error


def _within(files: Any, info: Any) -> list[Any]:
    """Return a file itself, or the files with rows in a folder and below, in order of their names.
    What begins with a dot or an underline is not data, as Spark and Arrow have it; nor is what has
    no byte, as Spark leaves it where a part has no row, nor what a finished run of ours says of
    itself."""
    if info.type == pafs.FileType.File:
        return [info]
    if info.type == pafs.FileType.NotFound:
        return []
    if info.type != pafs.FileType.Directory:
        raise UsageError(_PIPE.format(info.path))
    below = files.get_file_info(pafs.FileSelector(info.path, recursive=True))
    reports = {
        f"{each.path.removesuffix('_SUCCESS')}run.json"
        for each in below
        if each.path.endswith("/_SUCCESS")
    }
    chosen = []
    for each in below:
        steps = each.path[len(info.path) :].strip("/").split("/")
        hidden = any(step[:1] in "._" and "=" not in step for step in steps)
        data = each.is_file and each.size != 0 and _format(each.path)[0]
        if data and not hidden and "rejected" not in steps[:-1] and each.path not in reports:
            chosen.append(each)
    return sorted(chosen, key=lambda each: each.path)


def _source(info: Any, head: str, local: bool, folder: str) -> Source:
    kind, compressed = _format(info.path)
    if kind is None:
        raise UsageError(f"{info.path} is of no kind that is read: {', '.join(_SUFFIXES)}, .gz")
    if compressed and kind == "parquet":
        raise UsageError(f"{info.path} is compressed as a whole, and Parquet is not: gunzip it")
    inside = info.path[len(folder) :].strip("/").split("/")[:-1] if folder else []
    partitions = tuple(
        (unquote(key), unquote(value))
        for key, equals, value in (step.partition("=") for step in inside)
        if equals and key
    )
    name = _shown(info.path) if local else head + info.path
    return Source(name, info.path, kind, compressed, info.size or 0, info.mtime_ns or 0, partitions)


def _shown(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _format(path: str) -> tuple[Format | None, bool]:
    suffixes = Path(path.lower()).suffixes
    compressed = suffixes[-1:] == [".gz"]
    bare = suffixes[-2:-1] if compressed else suffixes[-1:]
    return _SUFFIXES.get(bare[0]) if bare else None, compressed


def format_of(path: str) -> tuple[Format | None, bool]:
    """Return the format that a file's name speaks of (None: none that we know), and whether it is
    compressed (.gz)."""
    return _format(path)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, without credentials in an address."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r"//[^/@\s]*@", "//", text)[:500]
