"""`history.jsonl`: the versions that were in a model's folder before, one a line, the oldest first.

Whoever replaces an artifact by another (training, `adopt`, the pipeline) adds the line of the one
that goes: what it was, and when, by whom and by what it was replaced. It is for people: nothing is
served from it, and a line that cannot be read is left out.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from scoring.artifact.folder import in_place
from scoring.artifact.manifest import MANIFEST, Manifest

HISTORY: Final = "history.jsonl"
_KEPT: Final = 200  # lines
_MOST_BYTES: Final = 1024 * 1024


class Former(BaseModel):
    """A version that was replaced; `how` is how the next one came into its place."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    created: datetime
    estimator: str
    data: list[str] = []  # names
    git_commit: str | None = None
    replaced: datetime
    by: str = ""  # the user who ran the command, where that is known
    how: Literal["trained", "taken in"]


def former(folder: Path) -> list[Former]:
    """Return the versions before the one in `folder`, the oldest first."""
    found = []
    for line in _lines(folder):
        try:
            found.append(Former.model_validate_json(line))
        except ValidationError:
            continue
    return found


def continued(target: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the history's file for an artifact that is about to take the place of the one in
    `target`, by its name; nothing where there is none and never was."""
    place = in_place(target)
    lines = [*_lines(place)]
    try:
        before = Manifest.model_validate_json((place / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        before = None
    if before is not None and before.sha256 != manifest.sha256:
        lines.append(_entry(before, manifest).model_dump_json().encode())
    return {HISTORY: b"".join(line + b"\n" for line in lines[-_KEPT:])} if lines else {}


def _entry(before: Manifest, after: Manifest) -> Former:
    return Former(
        version=before.version,
        created=before.created,
        estimator=before.estimator,
        data=sorted({data.name for data in before.data.values()}),
        git_commit=before.git_commit,
        replaced=datetime.now(UTC).replace(microsecond=0),
        by=_user(),
        how="taken in" if after.trained is None else "trained",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in many containers
        return ""


def _lines(folder: Path) -> Iterator[bytes]:
    try:
        with (folder / HISTORY).open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError:
        return
    yield from (line for line in content.split(b"\n") if line.strip())
