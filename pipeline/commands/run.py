"""`pipeline run MODEL`: whatever is new."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline import config, dry, progress
from pipeline.commands import stores
from pipeline.commands.models import model_of
from pipeline.errors import RefusedError, UsageError
from pipeline.notify import people_of
from pipeline.reasons import Nothing
from pipeline.records import REFUSED, Busy, Runs
from pipeline.run import Asked
from pipeline.run import run as run_once
from pipeline.steps import NAMES

HELP: Final = "carry what is new to a model that serves, or say why not"


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    shared(line)
    line.add_argument("--data", nargs="+", default=[], metavar="FILE",
        help="Parquet or CSV files, folders or s3:// prefixes of them, the newest the last by "
        "name (default: as pipeline.toml says, else the newest published months)")  # fmt: skip
    line.add_argument("--from", dest="first", choices=NAMES, metavar="STEP",
        help=f"do this step and those after it anew: {', '.join(NAMES)}")  # fmt: skip
    line.add_argument("--until", choices=NAMES, metavar="STEP", help="end after this step")
    told = line.add_mutually_exclusive_group()
    told.add_argument("--dry-run", action="store_true", help="say what would run, and why")
    told.add_argument("--json", action="store_true",
        help="print how it ended as JSON, and each step's line on the error output")  # fmt: skip


def shared(line: argparse.ArgumentParser) -> None:
    """Add the options of every command that runs steps."""
    line.add_argument("--config", type=Path, metavar="FILE",
        help="what is refused, and how a model is trained (default: pipeline.toml)")  # fmt: skip
    stores.option(line)
    line.add_argument("--approve", action="store_true",
        help="let a candidate serve that waits for approval")  # fmt: skip
    line.add_argument("--learn-refused", action="store_true",
        help="learn from files that the check refused, too")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run, print a line for each step and how it ended, and return the status."""
    asked = asked_by(given, environ)
    if given.dry_run:
        sys.stdout.write("\n".join(dry.lines(asked)) + "\n")
        return 0
    asked = shared_with(asked, given)
    if given.json:
        return _in_json(asked)
    record = run_once(asked)
    sys.stdout.write(f"{record['state']}: {record['said']}\n")
    return 0


def _in_json(asked: Asked) -> int:
    """Run and print one object, `state` (that of the record, `nothing` or `busy`) and `said`; of a
    run that fails there is none."""

    def end(state: str, said: object) -> None:
        sys.stdout.write(json.dumps({"state": state, "said": str(said)}) + "\n")

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    try:
        record = run_once(replace(asked, say=say))
    except (Nothing, Busy) as found:
        end(type(found).__name__.lower(), found)
    except RefusedError as error:
        end(REFUSED, error)
        raise
    else:
        end(record["state"], record["said"])
    return 0


def asked_by(given: argparse.Namespace, environ: Mapping[str, str]) -> Asked:
    """Return what the options ask for. Raises UsageError where they cannot be used."""
    model = model_of(given.model)
    first, until = getattr(given, "first", None), getattr(given, "until", None)
    if first and until and NAMES.index(first) > NAMES.index(until):
        raise UsageError(f"--until {until} comes before --from {first}")
    wanted = config.read(given.config, model.name)
    if getattr(given, "learn_refused", False):
        data = wanted.data.model_copy(update={"learn_refused": True})
        wanted = wanted.model_copy(update={"data": data})
    return Asked(
        model=model,
        runs=Runs(given.runs, model.name),
        config=wanted,
        environ=environ,
        data=getattr(given, "data", ()),
        first=first,
        until=until,
        approve=given.approve,
        say=print_line,
        working=progress.working,
    )


def shared_with(asked: Asked, given: argparse.Namespace) -> Asked:
    """Return what is asked for as a run that those of other machines know of."""
    asked.runs.make()
    store = stores.opened(given, asked.environ)
    people = people_of(asked.environ, store)
    return replace(asked, leases=stores.leases(store, asked.runs), tell=people.tell)


def print_line(line: str) -> None:
    """Show a line at once, also where the output is a file."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
