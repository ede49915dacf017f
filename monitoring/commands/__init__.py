"""One file a command: its options, and what it does.

A file is imported when its command is given: what one of them needs takes seconds to import.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Final


@dataclass(frozen=True)
class Command:
    """A word of the command line."""

    name: str
    help: str
    example: str  # what may stand behind its name

    def add_options(self, line: argparse.ArgumentParser) -> None:
        """Add what its file does: the options, and `run`."""
        file = import_module(f"{__name__}.{self.name}")
        file.options(line)
        line.set_defaults(run=file.run)


ALL: Final = (
    Command("profile", "count what prediction logs hold, by hour and version",
        "predictions.jsonl"),
    Command("report", "say what changed: status 0 quiet, 10 warning, 20 alarm",
        "ride --window 24h --until now"),
    Command("labels", "take in what came true: Parquet, CSV or JSON lines",
        "truth.csv --key request_id"),
    Command("score",
        "score labelled rows with what serves: status 10 where it is worse than at training",
        "ride labelled.parquet"),
    Command("watch", "read logs, make reports and tell of alarms, again and again",
        "ride --log log.jsonl"),
    Command("who", "say which version answered a request, when and what",
        "ride --request-id 4f1c"),
)  # fmt: skip
