"""Answers and the columns that are carried along, as a table, and a table as the bytes of a part.

The same table gives the same bytes: no time and no name of a machine is in them.
"""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pac
import pyarrow.parquet as pq

from batch.inputs.files import Format

_LEVEL: Final = 1  # of gzip: a fifth larger than the default, in a fifth of the time
_NESTED: Final = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)


def joined(kept: Mapping[str, pa.Array], made: Mapping[str, pa.Array]) -> pa.Table:
    """Return a table of the columns that are carried along, then those that were made."""
    return pa.table({**kept, **made})


def encode(
    table: pa.Table,
    kind: Format,
    *,
    compressed: bool,
    header: bool,
    metadata: Mapping[str, str],
    lines: Sequence[bytes] | None = None,
) -> bytes:
    """Return a part's bytes. `metadata` goes into a Parquet file; with `header`, a CSV begins with
    the columns' names. With `lines`, JSON lines are these with what `table` holds added."""
    if kind == "parquet":
        return _parquet(table, metadata)
    table = pa.table({name: _plain(table.column(name)) for name in table.column_names})
    data = _csv(table, header=header) if kind == "csv" else _json(table, lines)
    return gzip.compress(data, _LEVEL, mtime=0) if compressed else data


def fits_csv(kind: pa.DataType) -> bool:
    """Tell whether CSV can hold a column of a type."""
    return not any(test(kind) for test in _NESTED)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as its own type: dictionaries are a way to read, not what a file says."""
    return column.cast(_own(column.type)) if column.type != _own(column.type) else column


def _own(kind: pa.DataType) -> pa.DataType:
    """Return a type without the dictionaries in it."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        return pa.list_(kind.value_type.value_type)
    return kind


def _parquet(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    sink = io.BytesIO()
    # a dictionary of a number's distinct values costs more than it saves
    coded = [
        field.name
        for field in table.schema
        if not pa.types.is_floating(field.type) and not pa.types.is_nested(field.type)
    ]
    counted = [field.name for field in table.schema if _number(field.type)]
    # columns that are dictionaries are written as such, in half of the time; but the schema that
    # Arrow notes for readers is that of plain columns
    noted = {**(table.schema.metadata or {}), **metadata}
    own = pa.schema([field.with_type(_own(field.type)) for field in table.schema], noted)
    with pq.ParquetWriter(
        sink,
        table.schema,
        use_dictionary=coded,
        write_statistics=counted,
        compression="snappy",
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        schema = base64.b64encode(own.serialize()).decode()
        writer.add_key_value_metadata({**noted, "ARROW:schema": schema})
    return sink.getvalue()


def _number(kind: pa.DataType) -> bool:
    """Tell whether least and most of a column are worth a pass over it: texts' seldom are."""
    return not (
        pa.types.is_dictionary(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
    )


def _csv(table: pa.Table, *, header: bool) -> bytes:
    for place, field in enumerate(table.schema):
        if pa.types.is_list(field.type):  # of texts: `unseen`, `beyond`
            joined_texts = pc.binary_join(table.column(place), ";")
            table = table.set_column(place, field.name, joined_texts)
    sink = io.BytesIO()
    options = pac.WriteOptions(include_header=header, quoting_style="needed")
    pac.write_csv(table, sink, options)
    return sink.getvalue()


def _json(table: pa.Table, lines: Sequence[bytes] | None) -> bytes:
    made = table.to_pylist()
    for row in made:
        for name in ("unseen", "beyond"):
            if not row.get(name):
                row.pop(name, None)
    written = (orjson.dumps(row, default=str) for row in made)
    if lines is None:
        return b"".join(line + b"\n" for line in written)
    return b"".join(map(_added, lines, written))


def _added(line: bytes, more: bytes) -> bytes:
    """Return a line's object with the members of another one behind its own."""
    bare = line.strip()
    comma = b"," if bare[1:-1].strip() else b""
    return bare[:-1] + comma + more[1:] + b"\n"


def as_text(value: Any) -> str:
    """Return a compact JSON text."""
    return orjson.dumps(value).decode()
