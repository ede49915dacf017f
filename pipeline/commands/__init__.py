"""One file a command: its help, its options, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.commands import backfill, history, run, status


@dataclass(frozen=True)
class Command:
    """A word of the command line."""

    name: str
    help: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Mapping[str, str]], int]


ALL: Final = (
    Command("run", run.HELP, run.options, run.run),
    Command("backfill", backfill.HELP, backfill.options, backfill.run),
    Command("status", status.HELP, status.options, status.run),
    Command("history", history.HELP, history.options, history.run),
)
