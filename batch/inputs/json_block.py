"""A block of JSON lines to columns, as strict as a request's body.

Arrow reads the block in one pass. Whatever it refuses, or could read otherwise than the service
does, is read line by line by the service's own reader of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.json as paj

from batch.errors import BatchError
from batch.inputs.cells import type_of
from batch.inputs.files import first_line
from batch.inputs.rows import Rows
from batch.inputs.text import lines_of
from scoring.cells import Kind
from scoring.errors import NotJson
from scoring.values.strict_json import decode

# JavaScript's numbers that JSON has not: Arrow reads them.
_NOT_JSON: Final = (b"NaN", b"Infinity")


class NotALine:
    """Stand for a line that holds no JSON; no record can be made of it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem


@dataclass(frozen=True)
class JsonParser:
    """Reads blocks of JSON lines. `fields` are the keys of the record's fields with their kinds,
    `others` the columns that are carried along, with their types."""

    fields: Mapping[str, Kind]
    others: Mapping[str, pa.DataType]
    name: str

    def __call__(self, block: bytes, first: int) -> Rows:
        """Return the rows of a block whose first line has the number `first`."""
        lines = lines_of(block)
        places = np.array([place for place, _ in lines], dtype=np.int64)
        values: dict[int, Any] = {}

        def read_row(row: int) -> Any:
            if row not in values:
                try:
                    values[row] = decode(lines[row][1])
                except NotJson as error:
                    values[row] = NotALine(str(error))
            return values[row]

        batch = self._columns(block, len(lines))
        if batch is None:
            batch = pa.record_batch(
                {name: pa.nulls(len(lines), kind) for name, kind in self._types().items()}
            )
            if self.others:
                batch = self._by_line(batch, [read_row(row) for row in range(len(lines))], first)
        return Rows(
            batch,
            lambda rows: places[rows] + first,
            read_row,
            lines=lambda: [line for _, line in lines],
        )

    def _types(self) -> dict[str, pa.DataType]:
        return {name: type_of(kind) for name, kind in self.fields.items()} | dict(self.others)

    def _columns(self, block: bytes, rows: int) -> pa.RecordBatch | None:
        if any(word in block for word in _NOT_JSON):
            return None
        # Arrow's reader of JSON makes no dictionaries of texts
        plain = {
            name: kind.value_type if pa.types.is_dictionary(kind) else kind
            for name, kind in self._types().items()
        }
        try:
            found = paj.read_json(
                pa.BufferReader(block),
                read_options=paj.ReadOptions(use_threads=False, block_size=len(block) + 1),
                parse_options=paj.ParseOptions(
                    explicit_schema=pa.schema(plain), unexpected_field_behavior="ignore"
                ),
            )
        except (pa.ArrowException, UnicodeDecodeError):
            return None
        if found.num_rows != rows:  # an object over several lines, or several in one
            return None
        return found.combine_chunks().to_batches()[0] if rows else None

    def _by_line(self, batch: pa.RecordBatch, values: Sequence[Any], first: int) -> pa.RecordBatch:
        """Return a batch with the columns that are carried along."""
        for name, kind in self.others.items():
            cells = [value.get(name) if isinstance(value, dict) else None for value in values]
            try:
                column = pa.array(cells, kind)
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
                raise BatchError(
                    f"{self.name}, lines from {first}: the values of '{name}' are not all {kind}, "
                    f"as the first ones are ({first_line(error)}); leave it out with "
                    "--keep, or write JSON lines, which carry them as they are"
                ) from error
            batch = batch.set_column(batch.schema.get_field_index(name), name, column)
        return batch


def columns_of(block: bytes) -> dict[str, pa.DataType]:
    """Return the keys of the first lines, with the types that their values have there."""
    found: dict[str, list[Any]] = {}
    for _, line in lines_of(block[: 1 << 20])[:1000]:
        try:
            value = decode(line)
        except NotJson:
            continue
        if isinstance(value, dict):
            for key, cell in value.items():
                found.setdefault(key, []).append(cell)
    types = {}
    for key, cells in found.items():
        try:
            types[key] = pa.array(cells).type
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            types[key] = pa.string()
    return {key: pa.string() if pa.types.is_null(kind) else kind for key, kind in types.items()}
