"""`pipeline status MODEL`: what serves, what is observed or waits, and how the last run ended."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline import page
from pipeline.champions import Champion, champion_of
from pipeline.commands import stores
from pipeline.commands.models import model_of
from pipeline.observe import MARK
from pipeline.records import Runs
from pipeline.shared.store import WAITS, Store
from scoring.models import Model
from scoring.process.atomic_files import write_file

HELP: Final = "what serves, and how the last run ended"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    stores.option(line)
    line.add_argument("--json", action="store_true", help="print it as JSON")
    line.add_argument("--html", type=Path, metavar="FILE",
        help="write it, and all runs, as one page without script")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print what serves, the last run and its steps."""
    model = model_of(given.model)
    champion = champion_of(model, environ)
    store = stores.existing(given, environ)
    runs = Runs(given.runs, model.name)
    last = next(reversed(runs.all()), None)
    lines = serving(model, champion, store)
    if given.html:
        write_file(given.html, html(runs, lines, store))
    if given.json:
        serves = champion and {"version": champion.version, "sha256": champion.sha256}
        sys.stdout.write(json.dumps({"serves": serves, "last": last}, indent=1) + "\n")
        return 0
    if last is None:
        lines.append(f"no run in {given.runs} yet")
    else:
        lines.append(f"last run {last['run']}: {last['why']}")
        for step in last["steps"]:
            again = " (done before)" if step["reused"] else ""
            lines.append(f"  {step['name']:9} {step['said']}{again}")
        lines.append(f"{last['state']}: {last['said'] or 'at work'}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def serving(model: Model, champion: Champion | None, store: Store | None) -> list[str]:
    """Return sentences on what serves, what is observed, and what waits for a run."""
    lines = [f"{model.name}: {champion.version if champion else 'nothing'} serves"]
    if champion:
        lines[0] += f", trained {champion.manifest.created:%Y-%m-%d %H:%M} UTC"
    if store and (watched := store.mark(model.name, MARK)):
        lines.append(
            f"{watched['shown']} is observed since {watched['began']}: at an alarm "
            f"{watched['before']} comes back"
        )
    waiting = store.events(model.name, state=WAITS) if store else []
    return lines + [f"asked {one.at}  {one.why}: {one.said or 'waits'}" for one in waiting]


def html(runs: Runs, lines: list[str], store: Store | None) -> bytes:
    """Return the page of a model."""
    events = store.events(runs.model) if store else []
    return page.page(runs.model, lines, events, runs.all()).encode()
