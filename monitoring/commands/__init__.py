"""One file a command: its help, its options, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from monitoring.commands import labels, profile, report, score, watch, who


@dataclass(frozen=True)
class Command:
    """A word of the command line."""

    name: str
    help: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Mapping[str, str]], int]
    example: str  # what may stand behind its name


ALL: Final = (
    Command("profile", profile.HELP, profile.options, profile.run, "predictions.jsonl"),
    Command("report", report.HELP, report.options, report.run, "ride --window 24h --until now"),
    Command("labels", labels.HELP, labels.options, labels.run, "truth.csv --key request_id"),
    Command("score", score.HELP, score.options, score.run, "ride labelled.parquet"),
    Command(
        "watch",
        watch.HELP,
        watch.options,
        watch.run,
        "ride --log log.jsonl",
    ),
    Command("who", who.HELP, who.options, who.run, "ride --request-id 4f1c"),
)
