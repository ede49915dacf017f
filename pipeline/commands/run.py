"""`pipeline run MODEL`: whatever is new."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline import config, dry
from pipeline.commands.models import model_of
from pipeline.records import Runs
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
    line.add_argument("--dry-run", action="store_true", help="say what would run, and why")


def shared(line: argparse.ArgumentParser) -> None:
    """Add the options of every command that runs steps."""
    line.add_argument("--config", type=Path, metavar="FILE",
        help="what is refused, and how a model is trained (default: pipeline.toml)")  # fmt: skip
    line.add_argument("--approve", action="store_true",
        help="let a candidate serve that waits for approval")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run, print a line for each step and how it ended, and return the status."""
    asked = asked_by(given, environ)
    if given.dry_run:
        sys.stdout.write("\n".join(dry.lines(asked)) + "\n")
        return 0
    record = run_once(asked)
    sys.stdout.write(f"{record['state']}: {record['said']}\n")
    return 0


def asked_by(given: argparse.Namespace, environ: Mapping[str, str]) -> Asked:
    """Return what the options ask for. Raises UsageError where they cannot be used."""
    model = model_of(given.model)
    return Asked(
        model=model,
        runs=Runs(given.runs, model.name),
        config=config.read(given.config, model.name),
        environ=environ,
        data=getattr(given, "data", ()),
        first=getattr(given, "first", None),
        approve=given.approve,
        say=print_line,
    )


def print_line(line: str) -> None:
    """Show a line at once, also where the output is a file."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
