"""Validate a downloaded version in a process of its own, which may crash or hang without harm."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scoring.models import Model
from scoring.registry.cache import VersionRef
from scoring.registry.errors import FetchFailed, VersionRejected
from scoring.registry.subprocess_env import FOLDER, command, environment

_MOST_SECONDS: Final = 120.0

_log = logging.getLogger(__name__)


def validate_in_subprocess(
    model: Model,
    folder: Path,
    ref: VersionRef,
    *,
    program: Sequence[str] | None = None,
    limit_s: float = _MOST_SECONDS,
) -> str:
    """Return the digest of the version in `folder` after `scoring.registry.validate` accepted it.

    Raises VersionRejected where it does not, where the process crashes, and where it takes longer
    than `limit_s` seconds; FetchFailed where the disk is at fault. `program` replaces the process.
    """
    question = {"model": model.name, "folder": str(folder), "ref": ref.model_dump()}
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            program or command("validate"),
            input=json.dumps(question),
            env=environment(),
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise VersionRejected(f"its validation took longer than {limit_s:g} s") from None
    try:
        answer: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        _log.warning("the validation of %s gave no answer: %s", ref.title, done.stderr[-2000:])
        raise VersionRejected(f"its validation crashed (status {done.returncode})") from None
    if done.stderr.strip():
        _log.warning("the validation of %s said: %s", ref.title, done.stderr[-2000:])
    if "refused" in answer:
        raise VersionRejected(answer["refused"])
    if "failed" in answer:
        raise FetchFailed(answer["failed"])
    return answer["digest"]
