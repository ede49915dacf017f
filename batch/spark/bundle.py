"""Our packages as a zip, from which Python on an executor imports them: `make spark-bundle`. Model
files of the folders that MODEL_CODE names are among ours there, as a model is a module of
`scoring.models` wherever its file is."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import batch
import scoring
from scoring.errors import SettingsError
from scoring.models import code_folders
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
    found: dict[str, Path] = {}
    for package in (batch, scoring):
        [root] = package.__path__
        found |= _below(Path(root), package.__name__)
    *others, _ = code_folders()
    for folder in reversed(others):  # of two files with one name that of the first folder counts
        found |= _below(folder, "scoring/models")
    yield from sorted(found.items())


def _below(root: Path, name: str) -> dict[str, Path]:
    """Return the files of a folder and below by their names in the zip."""
    return {
        f"{name}/{path.relative_to(root).as_posix()}": path
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{make(Path(sys.argv[1]))}\n")
    except SettingsError as error:
        sys.exit(f"spark-bundle: {error}")
