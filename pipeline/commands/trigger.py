"""`pipeline trigger MODEL`: ask the watchers for a run."""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Mapping
from typing import Final

from pipeline.commands import stores
from pipeline.commands.models import model_of
from pipeline.records import Runs
from pipeline.watching import HAND

HELP: Final = "ask the watchers for a run at once, whatever cools down"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    stores.option(line)
    line.add_argument(
        "--why", default="no reason given", metavar="TEXT", help="kept in the history"
    )


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Add the event and return 0."""
    model = model_of(given.model)
    Runs(given.runs, model.name).make()
    store = stores.opened(given, environ)
    store.add_event(model.name, HAND, f"{HAND}:{uuid.uuid4().hex}", f"by hand: {given.why}")
    sys.stdout.write(f"{model.name}: the next watcher runs it\n")
    return 0
