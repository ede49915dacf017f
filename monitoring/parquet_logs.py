"""Read prediction logs in Parquet, and a batch's output, as blocks of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitoring.blocks import Block, split
from monitoring.entries import UNKNOWN
from monitoring.numpy_arrow import as_arrow, repeated

_BATCH: Final = 1 << 16  # rows
_FEW: Final = ["version", "digest", "model_version"]  # texts of which a file has few


def parquet(
    path: Path, model: str | None, fields: Mapping[str, list[str]], ids: Sequence[str] = ()
) -> Iterator[Block]:
    """Yield what a Parquet file holds: a log converted by `training.predictionlog`, or a part of a
    batch's output, whose time is that of the file.

    `fields` are the names of each model's fields, `ids` those of columns that hold an id.
    Raises ValueError with what is missing.
    """
    few = [name for name in _FEW if name in pq.read_schema(path).names]
    file = pq.ParquetFile(path, read_dictionary=few)
    said = {k.decode(): v.decode() for k, v in (file.schema_arrow.metadata or {}).items()}
    name = model or said.get("model") or _only_model(file.schema_arrow.names, fields)
    wanted = [field for field in fields[name] if field in file.schema_arrow.names]
    if not wanted:
        raise ValueError(f"it holds no field of the model '{name}'")
    named = ["time", "request_id", "version", "digest", "index", "score", "unseen",
             "model_version"]  # fmt: skip
    answers = [n for n in ("duration", "churn_probability") if n in file.schema_arrow.names]
    columns = [n for n in (*named, *wanted, *answers, *ids) if n in file.schema_arrow.names]
    first = 0
    for batch in _batches(file, list(dict.fromkeys(columns))):
        table = _completed(batch, name, wanted, answers, said, path, first)
        if some := [n for n in ids if n in columns]:
            found = [_plain(batch.column(n)).cast(pa.string()) for n in some]
            table = table.append_column("ids", pa.StructArray.from_arrays(found, some))
        yield from split(table)
        first += batch.num_rows


def _batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows in blocks; memory does not grow with their number."""
    for group in range(file.num_row_groups):  # over all of them, Arrow would keep what is done
        yield from file.iter_batches(_BATCH, [group], columns, use_threads=False)


def _completed(
    batch: pa.RecordBatch, model: str, wanted: list[str], answers: list[str],
    said: Mapping[str, str], path: Path, first: int,
) -> pa.Table:  # fmt: skip
    rows, have = batch.num_rows, batch.schema.names
    features = pa.StructArray.from_arrays([_plain(batch.column(n)) for n in wanted], wanted)
    made = {n: batch.column(n) for n in ("time", "unseen") if n in have}
    made |= {"features": features, "model": repeated(model, rows)}
    score = "score" if "score" in have else next(iter(answers), None)
    if score is None:
        raise ValueError("it holds no score")
    made["score"] = batch.column(score)
    version = "version" if "version" in have else "model_version"
    made["version"] = batch.column(version) if version in have else repeated(
        said.get("model_version", UNKNOWN), rows)  # fmt: skip
    made["digest"] = batch.column("digest") if "digest" in have else repeated(
        said.get("model_sha256", UNKNOWN), rows)  # fmt: skip
    if "time" not in have:
        when = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        made["time"] = pa.repeat(pa.scalar(when, pa.timestamp("us", "UTC")), rows)
    if "request_id" in have:
        made["request_id"], made["index"] = batch.column("request_id"), batch.column("index")
    else:
        made["request_id"] = pa.repeat(f"batch/{path.stem}", rows)
        made["index"] = as_arrow(np.arange(first, first + rows))
    return pa.table(made)


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _only_model(names: list[str], fields: Mapping[str, list[str]]) -> str:
    fitting = [model for model, own in fields.items() if set(own) <= set(names)]
    if len(fitting) != 1:
        raise ValueError("it does not say which model's predictions it holds: name it by --model")
    return fitting[0]
