"""`monitoring who MODEL`: what was answered, when, by which version, trained on what."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from monitoring.commands.profile import keeper
from monitoring.errors import UsageError
from monitoring.kept import ID, SEGMENT, table_of
from monitoring.store import Store
from scoring.models import discover

_ALWAYS: Final = (0, 1 << 30)


def options(line: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    line.add_argument("model_name", metavar="MODEL", help="ride, churn, ...")
    asked = line.add_mutually_exclusive_group(required=True)
    asked.add_argument("--request-id", metavar="ID", help="X-Request-ID of the answer")
    asked.add_argument(
        "--field", metavar="NAME=VALUE", help="an id of the caller's that was logged"
    )
    line.add_argument("--ids", choices=("plain", "hash"), default="plain",
        help="how `profile` kept them")  # fmt: skip


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print a line of JSON for each prediction; status 1 where there is none."""
    if given.model_name not in discover():
        raise UsageError(f"no model '{given.model_name}'; there are {', '.join(discover())}")
    column, value = "request_id", given.request_id
    if given.field:
        name, equals, value = given.field.partition("=")
        if not (name and equals):
            raise UsageError(f"--field takes NAME=VALUE, not {given.field!r}")
        column = ID + name
    [kept] = keeper(given.ids, environ).named(pa.array([value])).to_pylist()
    found = False
    for answer in answers(Store(given.store), given.model_name, column, kept):
        sys.stdout.write(orjson.dumps(answer).decode() + "\n")
        found = True
    if not found:
        sys.stderr.write("monitoring: no such prediction is known: profile its log, with ids\n")
    return 0 if found else 1


def answers(store: Store, model: str, column: str, value: str) -> Iterator[dict[str, Any]]:
    """Yield the predictions whose column holds this value, in the order of their files."""
    trainings = store.trainings(model)
    for kept in store.predictions(model, *_ALWAYS):
        table = table_of(kept)
        if column not in table.column_names:
            continue
        training = trainings.get(kept.digest)
        for row in table.filter(pc.equal(table.column(column), value)).to_pylist():
            yield {
                "request_id": row["request_id"],
                "index": row["index"],
                "time": datetime.fromtimestamp(row["time"] / 1e6, UTC).isoformat(),
                "score": row["score"],
                "segments": {
                    name.removeprefix(SEGMENT): cell
                    for name, cell in row.items()
                    if name.startswith(SEGMENT)
                },
                "model": model,
                "version": kept.version,
                "digest": kept.digest,
                "training": training.described if training else None,
            }
