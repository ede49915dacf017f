"""What a step's key is made of: digests of files, of code, of parameters."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from scoring.process.atomic_files import write_file

_ROOT: Final = Path(__file__).resolve().parents[1]
_NAME: Final = "digests.json"


def of_values(values: Any) -> str:
    """Return the digest of plain values, the same whatever the order of an object's names."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def of_code(place: str) -> str:
    """Return the digest of a file of this project, or of the Python files of a folder of it."""
    path = _ROOT / place
    whole = hashlib.sha256()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        whole.update(f"{file.relative_to(_ROOT)}\0".encode())
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def of_files(paths: Sequence[Path], folder: Path) -> list[str]:
    """Return the sha256 of each file. Those of files whose size and times are as they were are
    remembered in `folder`: a year of trips takes seconds to read. Raises OSError."""
    place = folder / _NAME
    known: dict[str, list[Any]] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(place.read_bytes())
    before = dict(known)
    digests = []
    for path in paths:
        name, about = str(path.resolve()), path.stat()
        state = [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
        if known.get(name, [None])[:-1] != state:
            with path.open("rb") as file:
                known[name] = [*state, hashlib.file_digest(file, "sha256").hexdigest()]
        digests.append(str(known[name][-1]))
    if known != before and folder.is_dir():
        write_file(place, _lines(known))
    return digests


def _lines(known: dict[str, list[Any]]) -> bytes:
    return json.dumps(known, indent=1, sort_keys=True).encode() + b"\n"
