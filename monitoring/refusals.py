"""What the log says of refused requests: when, which fields were bad and why, no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitoring.blocks import HOUR_US
from monitoring.store import Writing
from monitoring.tables import REFUSALS


class Refusal(NamedTuple):
    """One refused request."""

    model: str
    time: int  # microseconds since 1970, UTC
    why: str  # "trip_distance range 3, PULocationID missing 1": field, reason, records


def refusal_of(line: Mapping[str, Any]) -> Refusal:
    """Return what a line of the log says. Raises ValueError for one that does not say it."""
    try:
        whys = sorted(
            f"{one['field'].strip()} {one['reason'].strip()} {int(one['records'])}"
            for one in line["errors"]
        )
        model, when = line["model"].strip(), datetime.fromisoformat(line["time"])
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it lacks something") from None
    if any(len(one.split()) != 3 for one in whys):
        raise ValueError("a field or a reason is no word")
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    seconds = int(when.replace(microsecond=0).timestamp())
    return Refusal(model, seconds * 1_000_000 + when.microsecond, ", ".join(whys))


def keep(writing: Writing, file: str, refused: Sequence[Refusal]) -> int:
    """Keep what the file with this digest held, without what another file held already, and return
    how many requests."""
    kept = 0
    for model in sorted({one.model for one in refused}):
        some = [one for one in refused if one.model == model]
        hours = [one.time // HOUR_US for one in some]
        first, last = min(hours), max(hours)
        known = {
            (time, why)
            for [part] in writing.asked(overlapping(model, first, last + 1))
            for time, why in _rows(part)
        }
        new = [one for one in some if (one.time, one.why) not in known]
        kept += len(new)
        if new:
            table = pa.table({"time": [one.time for one in new], "why": [one.why for one in new]})
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd", write_statistics=False)
            content = sink.getvalue().to_pybytes()
            writing.insert(
                REFUSALS,
                [{"file": file, "model": model, "first": first, "last": last, "rows": len(new),
                  "content": content}],
            )  # fmt: skip
    return kept


def overlapping(model: str, first: int, end: int) -> sa.Select[Any]:
    """Ask for the parts that may be of these hours."""
    c = REFUSALS.c
    return sa.select(c.content).where(c.model == model, c.last >= first, c.first < end)


def _rows(content: bytes) -> Iterator[tuple[int, str]]:
    table = pq.ParquetFile(pa.BufferReader(content)).read()
    yield from zip(table.column("time").to_pylist(), table.column("why").to_pylist(), strict=True)
