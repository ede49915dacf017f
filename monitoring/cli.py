"""The command line: one word a command, its options, its exit status."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from monitoring import commands
from monitoring.errors import MonitoringError
from scoring.errors import SettingsError, StartError
from scoring.process.usage import described
from scoring.registry.errors import RegistryError

_DESCRIPTION = """\
Say whether a model is still good, from its prediction log: docs/monitoring.md.
Exit status: 0 done or quiet, 1 failed, 2 wrong usage, 10 warning, 20 alarm.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run what the words say and return the status of the process."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold addresses
    words = sys.argv[1:] if words is None else words
    given = _parser(words).parse_args(words)
    try:
        status: int = given.run(given, os.environ)
    except MonitoringError as error:
        return _failed(error, error.status)
    except SettingsError as error:
        return _failed(error, 2)
    except (StartError, RegistryError) as error:
        return _failed(error, 1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _failed(f"{error.strerror or error}{where}", 1)
    return status


def _failed(error: object, status: int) -> int:
    sys.stderr.write(f"monitoring: {' '.join(str(error).split())}\n")
    return status


def _parser(given: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of every command; given words, of the one that they name."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring",
        **described(
            _DESCRIPTION,
            *(f"python -m monitoring {one.name} {one.example}" for one in commands.ALL),
        ),
    )
    words = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands.ALL:
        example = f"python -m monitoring {command.name} {command.example}"
        line = words.add_parser(command.name, help=command.help, **described(command.help, example))
        line.add_argument(
            "--store", metavar="URL", default=os.environ.get("MONITORING_STORE", "monitoring.db"),
            help="SQLite file or database URL (default: MONITORING_STORE, else monitoring.db)",
        )  # fmt: skip
        if given is None or command.name in given:
            command.add_options(line)
    return parser
