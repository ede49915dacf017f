"""`monitoring profile LOG...`: logs to profiles by hour."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Final

from monitoring import trainings
from monitoring.errors import UsageError
from monitoring.ingest import Ingest
from monitoring.kept import Keeper
from monitoring.store import Store
from monitoring.topics import take
from scoring.models import discover
from scoring.registry.settings import RegistrySettings

_SECRET: Final = "MONITORING_SECRET"  # noqa: S105  # the variable's name
_SHORTEST: Final = 16


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("logs", nargs="+", metavar="LOG",
        help="prediction log, its Parquet, a batch's output, a folder, or a topic of Kafka by "
        "kafka://HOST:PORT/TOPIC")  # fmt: skip
    line.add_argument("--model", metavar="NAME", help="of Parquet files that do not say it")
    line.add_argument("--artifact", action="append", default=[], metavar="REF",
        help="keep this version's profile, too: folder or models:/...; several times")  # fmt: skip
    line.add_argument("--id", action="append", default=[], metavar="COLUMN",
        help="a column of Parquet files by which `who` and `labels` find predictions")  # fmt: skip
    line.add_argument("--ids", choices=("plain", "hash", "none"), default="plain",
        help=f"keep each prediction's ids and score for truth that comes later: as they are "
        f"(default), hashed under {_SECRET}, or not at all")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Count the files and say what came of them."""
    models = discover()
    if given.model and given.model not in models:
        raise UsageError(f"--model {given.model}: there are {', '.join(models)}")
    keep = keeper(given.ids, environ)
    store = Store(given.store)
    trainings.note(store, RegistrySettings.from_env(environ), given.artifact)
    taken = take(Ingest(store, models, keep, given.id), store, models, given.logs, given.model)
    sys.stdout.write(f"{taken.said()}\n")
    return 0


def keeper(ids: str, environ: Mapping[str, str]) -> Keeper:
    """Return what keeps ids as the option says. Raises UsageError for a hash without a secret."""
    secret = environ.get(_SECRET, "")
    if ids == "hash" and len(secret) < _SHORTEST:
        raise UsageError(f"--ids hash needs {_SECRET}, of {_SHORTEST} characters or more")
    return Keeper("hash" if ids == "hash" else "none" if ids == "none" else "plain", secret)
