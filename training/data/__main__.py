"""Downloads the published data that tests, benchmarks and published results use: `make data`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.data.download import fetch
from training.data.publishers import FILES, Published, default_folder
from training.errors import DownloadError


def main(argv: Sequence[str] | None = None, files: Mapping[str, Published] = FILES) -> None:
    """Download every file that the folder lacks; exit with status 1 if one cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=default_folder(), metavar="DIR",
        help="folder to fill (default: DATA_DIR, else data)",
    )  # fmt: skip
    folder = parser.parse_args(argv).output
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
