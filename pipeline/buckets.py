"""Objects of a bucket as files on this disk, downloaded once for each content."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, UsageError
from scoring.process.atomic_files import replacing, write_file


def is_bucket(name: str) -> bool:
    """Return whether a name is that of a bucket's prefix or object."""
    return name.startswith("s3://")


def downloaded(uri: str, folder: Path, usable: Callable[[Path], bool]) -> list[Path]:
    """Return the files of the objects below an s3:// prefix whose names are `usable`, in `folder`;
    those whose ETag is another than at their download are downloaded anew. The server and its keys
    are found as boto3 does it. Raises UsageError where there is none, PipelineError where the
    server does not give them."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise UsageError(f"{uri}: boto3 is not installed: pipenv sync --categories s3") from None
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found = []
    try:
        client = boto3.client("s3")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for one in (one for page in pages for one in page.get("Contents", [])):
            target = folder / bucket / one["Key"]
            if ".." not in target.parts and usable(target):
                _download(client, bucket, one, target)
                found.append(target)
    except (ClientError, BotoCoreError) as error:
        raise PipelineError(f"{uri} cannot be read: {error}") from None
    if not found:
        raise UsageError(f"{uri} holds no .parquet, .csv or .csv.gz object")
    return found


def _download(client: Any, bucket: str, one: dict[str, Any], target: Path) -> None:
    etag = target.with_name(f".{target.name}.etag")
    with contextlib.suppress(FileNotFoundError):
        if target.exists() and etag.read_text() == one["ETag"]:
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    etag.unlink(missing_ok=True)  # of a file that is about to be another
    with replacing(target) as file:
        client.download_fileobj(bucket, one["Key"], file)
    write_file(etag, one["ETag"].encode())
