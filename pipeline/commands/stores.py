"""The store that a command shares with others."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping
from typing import Final

from pipeline.records import Runs
from pipeline.shared.lease import Leases
from pipeline.shared.store import Store

VARIABLE: Final = "PIPELINE_STORE"
_FILE: Final = "pipeline.db"


def option(line: argparse.ArgumentParser) -> None:
    """Add the option that names it."""
    line.add_argument("--store", metavar="URL",
        help="SQLite file or database URL that watchers and runs of several machines share "
        f"(default: {VARIABLE}, else {_FILE} in the folder of --runs)")  # fmt: skip


def opened(given: argparse.Namespace, environ: Mapping[str, str]) -> Store:
    """Return the store, made where it is not there; the folder of runs must be."""
    return Store(given.store or environ.get(VARIABLE) or str(given.runs / _FILE))


def existing(given: argparse.Namespace, environ: Mapping[str, str]) -> Store | None:
    """Return the store, None where nobody has named or made one."""
    named = given.store or environ.get(VARIABLE)
    return opened(given, environ) if named or (given.runs / _FILE).exists() else None


def leases(store: Store, runs: Runs) -> Leases:
    """Return the leases that this machine's runs may take; where one is lost, this process gets the
    signal that ends its run."""
    return Leases(store, runs.folder, lost=lambda: os.kill(os.getpid(), signal.SIGUSR1))
