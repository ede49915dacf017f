"""Pipfile.lock: its hashes, and the part of it that the image installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

LOCK: Final = Path("Pipfile.lock")
# What an image can hold, as pipenv calls it; the optional ones by its arguments S3, OTEL, BATCH and
# STREAM.
OPTIONAL: Final = ("s3", "otel", "batch", "kafka", "kinesis", "redis")
GROUPS: Final = ("packages", "fast", "sklearn", *OPTIONAL)

_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")


class LockError(Exception):
    """The lock cannot be read; the message says why and what to do."""


def unhashed(path: Path = LOCK) -> list[str]:
    """Return `group: package` for each package that pip would install without checking its hash.

    This project itself, installed from its folder, does not count. Raises LockError.
    """
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        groups = {name: part for name, part in lock.items() if name != "_meta"}
        return [f"{group}: {name}" for group, part in groups.items() for name in _without(part)]
    except (OSError, ValueError, AttributeError) as error:
        raise LockError(f"{path} cannot be read ({error}): run pipenv lock") from error


def _without(group: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in group.items():
        if entry.get("editable") and "path" in entry:
            continue
        hashes = entry.get("hashes") or []
        pinned = str(entry.get("version", "")).startswith("==")
        if not (pinned and hashes and all(_HASH.fullmatch(found) for found in hashes)):
            yield name


def requirements(*groups: str) -> str:
    """Return the locked requirements of `groups`, with hashes, as the Dockerfile installs them.

    Raises LockError.
    """
    pipenv = Path(sys.prefix) / "pipenv" / "bin" / "pipenv"
    words = [str(pipenv), "requirements", "--hash", "--categories", " ".join(groups)]
    quiet = os.environ | {"PIPENV_IGNORE_VIRTUALENVS": "1", "PIPENV_VERBOSITY": "-1"}
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=quiet)
    except FileNotFoundError as error:
        raise LockError(f"{pipenv} is missing: run make setup") from error
    except subprocess.CalledProcessError as error:
        raise LockError(f"pipenv cannot read the lock: {error.stderr.strip()[-500:]}") from error
    return done.stdout
