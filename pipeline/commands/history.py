"""`pipeline history MODEL`: each run, why it ran and how it ended."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline import page
from pipeline.commands import stores
from pipeline.commands.models import model_of
from pipeline.records import Runs
from scoring.process.atomic_files import write_file

HELP: Final = "each run: why it ran, what it did, how it ended"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    stores.option(line)
    line.add_argument("--json", action="store_true", help="print the records as JSON")
    line.add_argument("--html", type=Path, metavar="FILE", help="write one page without script")


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the records, the oldest first, and what watchers were asked for."""
    runs = Runs(given.runs, model_of(given.model).name)
    found = runs.all()
    store = stores.existing(given, environ)
    events = store.events(runs.model) if store else []
    if given.html:
        write_file(given.html, page.page(runs.model, [], events, found).encode())
    if given.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    elif not found:
        sys.stdout.write(f"no run of {runs.model} in {given.runs} yet\n")
    for record in [] if given.json else found:
        sys.stdout.write(f"{record['run']}  {record['state']:9} {record['why']}\n")
        sys.stdout.write(f"    {record['said'] or 'at work'}\n")
    for event in [] if given.json else events:
        sys.stdout.write(f"asked {event.at}  {event.why}\n    {event.said or 'waits'}\n")
    return 0
