"""A block of CSV to columns.

Arrow reads numbers and texts in one pass. Where a cell of a number is not plainly one, the block is
read as texts, and what is plain is made a number; the rest is read cell by cell, by the rules of
a CSV request.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pac

from batch.columns.fields import Array
from batch.errors import BatchError
from batch.inputs import cells
from batch.inputs.files import first_line
from batch.inputs.rows import Rows
from scoring.cells import Kind, value
from scoring.errors import FieldError


@dataclass(frozen=True)
class CsvParser:
    """Reads blocks of CSV. `fields` are the columns of the record's fields with their kinds,
    `others` those that are carried along, as texts."""

    names: Sequence[str]  # of all columns of the file, in order
    fields: Mapping[str, Kind]
    others: Sequence[str]
    separator: str
    name: str

    def __call__(self, block: bytes, first: int) -> Rows:
        """Return the rows of a block whose first line has the number `first`."""
        bad: list[Any] = []
        # Arrow reads hexadecimal whole numbers. A single byte is looked for fifty times as fast
        plain = not any(x in block and b"0" + x in block for x in (b"x", b"X"))
        batch = self._read(block, bad, typed=True) if plain else None
        texts = functools.cache(lambda: self._read(block, [], typed=False))
        if batch is None:
            bad.clear()
            batch = self._read(block, bad, typed=False)
            assert batch is not None  # noqa: S101  # texts are always read
            for name, kind in self.fields.items():
                index = batch.schema.get_field_index(name)
                batch = batch.set_column(index, name, cells.column(batch.column(name), kind))

        def read_row(row: int) -> Any:
            found = texts()
            assert found is not None  # noqa: S101  # likewise
            return {
                name: value(found.column(name)[row].as_py() or "", kind)
                for name, kind in self.fields.items()
            }

        @functools.cache
        def lines() -> Array:
            return _lines(block, first)

        @functools.cache
        def order() -> Array:
            return np.delete(np.arange(len(lines())), [row.number - 1 for row in bad])

        malformed = [
            (int(lines()[row.number - 1]), FieldError.because("other", "line", self._wrong(row)))
            for row in bad
        ]
        return Rows(batch, lambda rows: lines()[order()[rows]], read_row, malformed)

    def _wrong(self, row: Any) -> str:
        return f"expected {row.expected_columns} cells, got {row.actual_columns}"

    def _read(self, block: bytes, bad: list[Any], *, typed: bool) -> pa.RecordBatch | None:
        def skip(row: Any) -> str:
            bad.append(row)
            return "skip"

        kinds = {
            name: cells.type_of(kind) if typed else pa.string()
            for name, kind in self.fields.items()
        }
        wanted = [*self.fields, *self.others]
        try:
            found = pac.read_csv(
                pa.BufferReader(block),
                read_options=pac.ReadOptions(
                    column_names=list(self.names), use_threads=False, block_size=len(block) + 1
                ),
                parse_options=pac.ParseOptions(
                    delimiter=self.separator,
                    newlines_in_values=b'"' in block,
                    invalid_row_handler=skip,
                ),
                convert_options=pac.ConvertOptions(
                    column_types=kinds | {name: pa.string() for name in self.others},
                    include_columns=wanted,
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except (pa.ArrowException, UnicodeDecodeError) as error:
            if typed:
                return None
            raise BatchError(f"{self.name} cannot be read as CSV: {first_line(error)}") from error
        batches = found.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=found.schema)


def _lines(block: bytes, first: int) -> Array:
    """Return the number of the line in which each record of the block begins. Lines without
    anything in them hold no record."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    lines = np.arange(first, first + len(ends) + 1)
    begins = np.concatenate([[0], ends + 1])
    if b'"' in block:
        quotes = np.flatnonzero(data == ord('"'))
        outside = np.searchsorted(quotes, begins) % 2 == 0
        begins, lines = begins[outside], lines[outside]
    empty = np.isin(data[np.minimum(begins, len(data) - 1)], (10, 13)) | (begins >= len(data))
    found: Array = lines[~empty]
    return found
