"""`monitoring labels TRUTH...`: what came true, joined to predictions that are known or come."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from monitoring import kept, outcomes, truths
from monitoring.blocks import HASHED
from monitoring.commands.profile import keeper
from monitoring.errors import MonitoringError, UsageError
from monitoring.ingest import find
from monitoring.store import Store
from scoring.models import Model, discover

_ALWAYS: Final = (0, 1 << 30)
_FILES: Final = ("*.parquet", "*.csv", "*.jsonl")


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("truths", nargs="+", metavar="TRUTH", help="file, or a folder of files")
    line.add_argument("--key", required=True, metavar="COLUMN",
        help="by what a prediction is found: request_id (with a column index, where requests had "
        "several records), an id of the caller's, or a category of the record")  # fmt: skip
    line.add_argument("--actual", metavar="COLUMN",
        help="the truth's column (default: actual, else the model's target)")  # fmt: skip
    line.add_argument("--model", metavar="NAME", help="needed where the store knows several")
    line.add_argument("--ids", choices=("plain", "hash"), default="plain",
        help="how `profile` kept them")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Keep the truths and say how many predictions have one now."""
    store = Store(given.store)
    model = _model(given.model, store)
    keep = keeper(given.ids, environ)
    if keep.ids == "plain" and _hashed(store, model.name):
        raise UsageError("the store keeps ids as hashes: give --ids hash and the same secret")
    paths = find(given.truths, _FILES)
    came = truths.take(store, paths, model, given.key, given.actual, keep)
    known, of = matched(store, model.name, given.key)
    sys.stdout.write(f"{came.said()}; {known} of {of} predictions kept have one by {given.key}\n")
    if of and came.rows and not known:
        raise MonitoringError(
            f"no prediction has such a {given.key}: the truths wait for one that has; has the "
            "log such an id, and was it profiled with the same --ids?"
        )
    return 0


def matched(store: Store, model: str, key: str) -> tuple[int, int]:
    """Return how many predictions have a truth by this key, and how many are kept."""
    known = [one for one in store.truths(model) if one[0] == key]
    found = of = 0
    for one in store.predictions(model, *_ALWAYS):
        table: pa.Table = kept.table_of(one)
        of += len(table)
        found += int((~np.isnan(outcomes.joined(table, known))).sum())
    return found, of


def _hashed(store: Store, model: str) -> bool:
    """Tell whether the ids of this model's last predictions are hashes."""
    for one in store.predictions(model, *_ALWAYS)[-1:]:
        [first] = kept.table_of(one).column("request_id").slice(0, 1).to_pylist()
        return str(first).startswith(HASHED)
    return False


def _model(name: str | None, store: Store) -> Model:
    models = discover()
    if name is None:
        known = [one for one in models if store.span(one)]
        if len(known) != 1:
            raise UsageError(
                f"the store knows predictions of {', '.join(known) or 'no model'}: say by --model "
                "whose truths these are"
            )
        [name] = known
    if name not in models:
        raise UsageError(f"--model {name}: there are {', '.join(models)}")
    return models[name]
