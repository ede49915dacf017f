"""Downloads the published data that tests, benchmarks and published results use.

    python -m training.data
    python -m training.data --output data

`make data` runs it. A file that is there already, with the digest that is known, stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scoring.process.usage import of_docstring
from training.data.download import fetch
from training.data.publishers import FILES, Published, default_folder
from training.errors import DownloadError


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m training.data", **of_docstring(__doc__))
    line.add_argument(
        "--output", type=Path, default=default_folder(), metavar="DIR",
        help="folder to fill (default: DATA_DIR, else data)",
    )  # fmt: skip
    return line


def main(argv: Sequence[str] | None = None, files: Mapping[str, Published] = FILES) -> None:
    """Download every file that the folder lacks; exit with status 1 if one cannot be had."""
    folder = parser().parse_args(argv).output
    failed = 0
    for name, file in files.items():
        try:
            fetch({name: file}, folder)
        except DownloadError as error:
            failed += 1
            print(f"training.data: {error}", file=sys.stderr)
    if failed:
        sys.exit(f"training.data: {failed} of {len(files)} files are missing in {folder}")
    print(f"{len(files)} files are in {folder}")


if __name__ == "__main__":
    main()
