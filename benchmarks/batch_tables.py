"""Tables for the benchmark of files: rows drawn from the bundled sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pac
import pyarrow.parquet as pq

from scoring.models import discover
from training import sample

_PIECE: Final = 1 << 20  # rows that are made at a time


def write(name: str, rows: int, path: Path) -> None:
    """Write `rows` rows of a model's fields to a Parquet or CSV file, a piece at a time."""
    chance = np.random.default_rng(1)
    writer: Any = None
    for start in range(0, rows, _PIECE):
        piece = _table(name, min(_PIECE, rows - start), chance)
        if writer is None:
            made: Any = pac.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
            writer = made(str(path), piece.schema)
        writer.write_table(piece)
    writer.close()


def _table(name: str, rows: int, chance: np.random.Generator) -> pa.Table:
    """Return rows drawn from the sample, the fields alone, every distance moved a little, so that
    no two rows need be alike."""
    if name == "ride":
        fields = list(discover()["ride"].record.model_fields)
        found = pq.read_table(sample.TRIPS, columns=fields).drop_null()
        keep = found.filter(pa.array(found["trip_distance"].to_numpy() < 90))
        drawn = keep.take(pa.array(chance.integers(0, keep.num_rows, rows)))
        moved = np.round(drawn["trip_distance"].to_numpy() + chance.random(rows), 2)
        return drawn.set_column(2, "trip_distance", pa.array(moved)).combine_chunks()
    example = discover()["churn"].record.model_json_schema()["properties"]
    columns: dict[str, Any] = {}
    for field, schema in example.items():
        if "enum" in schema:
            choices = pa.array(schema["enum"])
            columns[field] = choices.take(pa.array(chance.integers(0, len(choices), rows)))
        elif schema["type"] == "integer":
            columns[field] = chance.integers(0, min(schema["maximum"], 72) + 1, rows)
        else:
            columns[field] = np.round(chance.random(rows) * 100, 2)
    return pa.table(columns)
