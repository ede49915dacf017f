"""`pipeline status MODEL`: what serves, and how the last run ended."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Final

from pipeline.champions import champion_of
from pipeline.commands.models import model_of
from pipeline.records import Runs

HELP: Final = "what serves, and how the last run ended"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("--json", action="store_true", help="print it as JSON")


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print what serves, the last run and its steps."""
    model = model_of(given.model)
    champion = champion_of(model, environ)
    last = next(reversed(Runs(given.runs, model.name).all()), None)
    if given.json:
        serves = champion and {"version": champion.version, "sha256": champion.sha256}
        sys.stdout.write(json.dumps({"serves": serves, "last": last}, indent=1) + "\n")
        return 0
    lines = [f"{model.name}: {champion.version if champion else 'nothing'} serves"]
    if champion:
        lines[0] += f", trained {champion.manifest.created:%Y-%m-%d %H:%M} UTC"
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
