"""Run a module of this package in another Python process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = str(Path(__file__).resolve().parents[2])

# Where these processes run: the folder that holds web-service. gunicorn moves into web-service, but
# the tools that watch such processes (coverage, a debugger) know the project from above.
FOLDER: Final = Path(__file__).resolve().parents[3]


def command(module: str) -> list[str]:
    """Return the command line that runs `scoring.registry.<module>`."""
    return [sys.executable, "-m", f"scoring.registry.{module}"]


def environment() -> dict[str, str]:
    """Return this process's environment with `scoring` on the path, as it need not be installed."""
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
