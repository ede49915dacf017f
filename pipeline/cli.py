"""The command line: one word a command, its options, its exit status."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pipeline import commands
from pipeline.errors import LostError, PipelineError, StoppedError
from pipeline.reasons import Nothing
from pipeline.records import Busy
from scoring.errors import SettingsError, StartError
from scoring.process.usage import described

_DESCRIPTION = """\
From new data to a better model that serves: docs/pipeline.md.
Exit status: 0 done (also where there was nothing to do), 1 failed, 2 wrong usage, 3 refused.
"""
_STOPS = (signal.SIGTERM, signal.SIGINT)


def main(words: Sequence[str] | None = None) -> int:
    """Run what the words say and return the status of the process."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each of its retries is a warning
    given = _parser().parse_args(words)
    before = {number: signal.signal(number, _stopped) for number in _STOPS}
    before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, _lost)
    try:
        status: int = given.run(given, os.environ)
    except (Nothing, Busy) as found:
        sys.stdout.write(f"{found}\n")
        return 0
    except PipelineError as error:
        return _failed(error, error.status)
    except SettingsError as error:
        return _failed(error, 2)
    except StartError as error:
        return _failed(error, 1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _failed(f"{error.strerror or error}{where}; the same command goes on", 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status


def _stopped(number: int, _: object) -> NoReturn:
    raise StoppedError(f"stopped by {signal.Signals(number).name}; the same command goes on")


def _lost(_: int, __: object) -> NoReturn:
    raise LostError("another machine has taken over this run, which was not heard of for too long")


def _failed(error: object, status: int) -> int:
    sys.stderr.write(f"pipeline: {' '.join(str(error).split())}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline",
        **described(
            _DESCRIPTION,
            *(f"python -m pipeline {one.name} {one.example}" for one in commands.ALL),
        ),
    )
    words = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands.ALL:
        example = f"python -m pipeline {command.name} {command.example}"
        line = words.add_parser(command.name, help=command.help, **described(command.help, example))
        if command.one_model:
            line.add_argument("model", metavar="MODEL", help="its name, as ride")
        line.add_argument(
            "--runs", type=Path, default=Path("runs"), metavar="DIR",
            help="where runs are kept (default: runs)",
        )  # fmt: skip
        command.options(line)
        line.set_defaults(run=command.run)
    return parser
