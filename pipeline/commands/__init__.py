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
    one_model: bool = True  # that it is to be given


ALL: Final = (
    Command("run", run.HELP, run.options, run.run),
    Command("backfill", backfill.HELP, backfill.options, backfill.run),
    Command("watch", watch.HELP, watch.options, watch.run, one_model=False),
    Command("observe", observe.HELP, observe.options, observe.run),
    Command("trigger", trigger.HELP, trigger.options, trigger.run),
    Command("status", status.HELP, status.options, status.run),
    Command("history", history.HELP, history.options, history.run),
)
