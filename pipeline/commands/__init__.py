"""One file a command: its help, its options, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.commands import backfill, history, observe, run, status, trigger, watch


@dataclass(frozen=True)
class Command:
    """A word of the command line."""

    name: str
    help: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Mapping[str, str]], int]
    example: str  # what may stand behind its name
    one_model: bool = True  # that it is to be given


ALL: Final = (
    Command("run", run.HELP, run.options, run.run, "ride --data trips/ --dry-run"),
    Command("backfill", backfill.HELP, backfill.options, backfill.run, "ride 2025-01..2025-12"),
    Command("watch", watch.HELP, watch.options, watch.run, "ride --once", one_model=False),
    Command("observe", observe.HELP, observe.options, observe.run, "ride"),
    Command("trigger", trigger.HELP, trigger.options, trigger.run, "ride --why 'a new tariff'"),
    Command("status", status.HELP, status.options, status.run, "ride"),
    Command("history", history.HELP, history.options, history.run, "ride"),
)
