"""What stops a training: one line for the person at the terminal, and the exit status.

TrainingError    1  the work failed
DownloadError    1
Refused          3  the work was done, and its result is beyond a limit
"""

from __future__ import annotations

import argparse
import sys
from typing import Final, NoReturn

from scoring.models import refused


class TrainingError(Exception):
    """The training cannot go on; the message says what was seen and what to do."""


class DownloadError(TrainingError):
    """A file could not be downloaded; the message says what happened and what to do."""


class Refused(TrainingError):
    """A limit forbids it: too many unusable rows, or a model that is not good enough."""

    status: Final = 3


def leave(program: str, error: Exception | str) -> NoReturn:
    """Print one line to standard error and exit with status 3 for Refused, 1 for anything else."""
    if not isinstance(error, Refused):
        sys.exit(f"{program}: {error}")
    print(f"{program}: {error}", file=sys.stderr)
    sys.exit(error.status)


def usable_model(name: str) -> str:
    """Return an argument that names a model; raise ArgumentTypeError with the reason where the
    model's file is refused."""
    if name in (reasons := refused()):
        raise argparse.ArgumentTypeError(reasons[name])
    return name
