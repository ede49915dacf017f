"""Our packages as a zip, from which Python on an executor imports them: `make spark-bundle`."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import batch
import scoring
from scoring.process.atomic_files import replacing

NAME: Final = "prediction-service-spark.zip"
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same files are the same zip


def make(folder: Path) -> Path:
    """Write the zip of `batch` and `scoring` into a folder, which is made, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, source in _files():
            made.writestr(zipfile.ZipInfo(name, _DATE), source.read_bytes(), zipfile.ZIP_DEFLATED)
    return path


def _files() -> Iterator[tuple[str, Path]]:
    for package in (batch, scoring):
        [root] = package.__path__
        for path in sorted(Path(root).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{package.__name__}/{path.relative_to(root).as_posix()}", path


if __name__ == "__main__":
    sys.stdout.write(f"{make(Path(sys.argv[1]))}\n")
