"""`pipeline observe MODEL`: look at a new champion once, for cron."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline import observe
from pipeline.commands import run as one_run
from pipeline.commands import stores

HELP: Final = "look at a new champion once; at an alarm the one before comes back"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("--config", type=Path, metavar="FILE",
        help="for how long (default: pipeline.toml)")  # fmt: skip
    stores.option(line)


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print what was found and return 0, or 20 where it was rolled back."""
    given.approve = False
    asked = one_run.shared_with(one_run.asked_by(given, environ), given)
    store = stores.opened(given, environ)
    said = observe.look(asked, store)
    sys.stdout.write(f"{said or f'no champion of {asked.model.name} is observed'}\n")
    return 20 if said and " was rolled back to " in said else 0
