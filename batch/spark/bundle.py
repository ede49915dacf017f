"""Make a zip of our packages, from which Python on a Spark executor imports them.

    python -m batch.spark.bundle dist

`make spark-bundle` runs it. Model files of the folders that MODEL_CODE names are among ours there,
as a model is a module of `scoring.models` wherever its file is.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import batch
import scoring
from scoring.errors import SettingsError
from scoring.models import code_folders
from scoring.process.atomic_files import replacing
from scoring.process.usage import of_docstring

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


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m batch.spark.bundle", **of_docstring(__doc__))
    line.add_argument("folder", type=Path, metavar="FOLDER", help=f"where to write {NAME}")
    return line


def main(argv: Sequence[str] | None = None) -> None:
    """Write the zip and print its path; exit with one line where a folder of models is wrong."""
    folder = parser().parse_args(argv).folder
    try:
        sys.stdout.write(f"{make(folder)}\n")
    except SettingsError as error:
        sys.exit(f"spark-bundle: {error}")


if __name__ == "__main__":
    main()
