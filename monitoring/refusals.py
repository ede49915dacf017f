"""What the log says of refused requests: when, which fields were bad and why, no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitoring.blocks import HOUR_US
from monitoring.tables import REFUSALS
from monitoring.writing import Writing


class Refusal(NamedTuple):
    """One refused request."""

    model: str
    time: int  # microseconds since 1970, UTC
    why: str  # "trip_distance range 3, PULocationID missing 1": field, reason, records
    id: str | None = None  # of a dead letter

    @property
    def same(self) -> tuple[object, ...]:
        """What it has in common with itself, wherever it is read again: a letter its id."""
        return (self.id,) if self.id is not None else (self.time, self.why)


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
        # a worker that was killed writes a letter again, with its id, at another time
        known = {
            one.same
            for [part] in writing.asked(overlapping(model, first - 1, last + 2))
            for one in _rows(model, part)
        }
        new = []
        for one in some:
            if one.same not in known:
                new.append(one)
            if one.id is not None:
                known.add(one.same)
        kept += len(new)
        if new:
            table = pa.table(
                {"time": [one.time for one in new], "why": [one.why for one in new],
                 "id": pa.array([one.id for one in new], pa.string())}
            )  # fmt: skip
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


def _rows(model: str, content: bytes) -> Iterator[Refusal]:
    for row in pq.ParquetFile(pa.BufferReader(content)).read().to_pylist():
        yield Refusal(model, row["time"], row["why"], row.get("id"))  # older parts have no ids
