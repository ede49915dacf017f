"""Looks for known holes in what the lock installs, or writes the list of what an image holds.

    python -m deploy.supplychain audit
    python -m deploy.supplychain sbom --image prediction-service --output sbom.cdx.json

`make audit` and `make sbom` run it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.supplychain.audit import audit
from deploy.supplychain.image import ImageError
from deploy.supplychain.lock import LockError
from deploy.supplychain.sbom import document, write
from scoring.process.usage import of_docstring

DEFAULT = Path("dist/prediction-service.cdx.json")
IMAGE = "prediction-service"


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m deploy.supplychain", **of_docstring(__doc__))
    line.add_argument("what", choices=["audit", "sbom"])
    line.add_argument("--image", default=IMAGE, help=f"what the SBOM is of ({IMAGE})")
    line.add_argument("--output", type=Path, default=DEFAULT, help=f"the SBOM ({DEFAULT})")
    return line


def main(words: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    given = parser().parse_args(words)
    if given.what == "audit":
        return audit()
    try:
        text, summary = document(given.image)
        write(text, given.output)
    except (ImageError, LockError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{given.output}: {summary}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
