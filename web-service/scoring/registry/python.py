"""Runs a module of this package in another Python process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = str(Path(__file__).resolve().parents[2])


# Where these processes run: the folder that holds web-service, as gunicorn moves into web-service
# and the tools that watch them (coverage, a debugger) know the project from above.
FOLDER: Final = Path(__file__).resolve().parents[3]


def command(module: str) -> list[str]:
    """Gives the words that run `scoring.registry.<module>`."""
    return [sys.executable, "-m", f"scoring.registry.{module}"]


def environment() -> dict[str, str]:
    """Gives this process's environment, in which `scoring` is found: the image does not install
    it."""
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
