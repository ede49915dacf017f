"""`pipeline backfill MODEL 2025-01..2025-12`: month by month, as they came."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pipeline.commands import run as one_run
from pipeline.errors import RefusedError, UsageError
from pipeline.ingest import months_until
from pipeline.reasons import Nothing
from pipeline.run import run as run_once

HELP: Final = "run for each of some published months, the oldest first"
_MONTH: Final = r"([0-9]{4})-(0[1-9]|1[0-2])"
_MOST: Final = 240


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("months", metavar="FIRST..LAST", help="as 2025-01..2025-12")
    one_run.shared(line)


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run for each month and return 0, or 3 where one was refused; a month that fails ends it."""
    months = months_of(given.months)
    asked = one_run.shared_with(one_run.asked_by(given, environ), given)
    refused = 0
    for month in months:
        try:
            record = run_once(replace(asked, month=month))
            told = f"{record['state']}: {record['said']}"
        except RefusedError as error:
            told, refused = f"refused: {error}", refused + 1
        except Nothing as found:
            told = str(found)
        sys.stdout.write(f"{month} {told}\n")
        sys.stdout.flush()
    return RefusedError.status if refused else 0


def months_of(text: str) -> list[str]:
    """Return the months that `2025-01..2025-12` or `2025-01` means. Raises UsageError."""
    found = re.fullmatch(rf"{_MONTH}(?:\.\.{_MONTH})?", text)
    if not found:
        raise UsageError(f"{text}: months are written as 2025-01..2025-12")
    year, month, last_year, last_month = (int(part) for part in (*found.groups()[:2],
        *(found.groups()[2:] if found[3] else found.groups()[:2])))  # fmt: skip
    before = (last_year - year) * 12 + last_month - month
    if not 0 <= before < _MOST:
        raise UsageError(f"{text}: the first month comes first, and at most {_MOST} are done")
    return months_until(f"{last_year:04d}-{last_month:02d}", before)
