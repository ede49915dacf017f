"""`python -m deploy.supplychain audit|sbom`, what make audit and make sbom run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.supplychain.audit import audit
from deploy.supplychain.image import ImageError
from deploy.supplychain.lock import LockError
from deploy.supplychain.sbom import document, write

DEFAULT = Path("dist/prediction-service.cdx.json")
IMAGE = "prediction-service"


def main(words: list[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.supplychain", description=__doc__)
    parser.add_argument("what", choices=["audit", "sbom"])
    parser.add_argument("--image", default=IMAGE, help=f"what the SBOM is of ({IMAGE})")
    parser.add_argument("--output", type=Path, default=DEFAULT, help=f"the SBOM ({DEFAULT})")
    given = parser.parse_args(words)
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
