"""Where artifacts are written, unless `--output` says."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def models_folder() -> Path:
    """Return the folder in which the service looks: MODELS_DIR, else `models` in the current
    folder."""
    return Path(os.environ.get("MODELS_DIR", "").strip() or "models")


def add_output(line: argparse.ArgumentParser, model: str = "MODEL") -> None:
    """Add `--output DIR`, in which the command writes `DIR/model/`."""
    line.add_argument(
        "--output", type=Path, default=models_folder(), metavar="DIR",
        help=f"write DIR/{model}/ (default: MODELS_DIR, else models: %(default)s)",
    )  # fmt: skip
