"""A slice of a file's rows, as a worker gets it and as it reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from batch.columns.fields import Array
from batch.columns.refusals import RowReader
from scoring.errors import FieldError


@dataclass(frozen=True)
class Rows:
    """The rows of a slice. `numbers` are the places of rows in their file, counted from 1: of rows
    for Parquet, of lines for text. `malformed` are rows that have no columns at all."""

    batch: pa.RecordBatch
    numbers: Callable[[Array], Array]
    read_row: RowReader | None = None  # the JSON value of a row, where the columns do not say all
    malformed: Sequence[tuple[int, FieldError]] = field(default=())
    lines: Callable[[], Sequence[bytes]] | None = None  # of JSON lines, as they are in the file

    def chosen(self, places: Array) -> Rows:
        """Return some of the rows, in order."""
        read, numbers, lines = self.read_row, self.numbers, self.lines

        def some_lines() -> Sequence[bytes]:
            assert lines is not None  # noqa: S101  # for the type checker
            every = lines()
            return [every[place] for place in places.tolist()]

        return Rows(
            self.batch.take(pa.array(places)),
            lambda rows: numbers(places[rows]),
            read and (lambda row: read(int(places[row]))),
            self.malformed,
            some_lines if lines else None,
        )


class Slice(Protocol):
    """A part of a file that one worker reads and scores."""

    @property
    def number(self) -> int:
        """Its place among the file's slices."""

    @property
    def size(self) -> int:
        """Bytes of the file that it stands for."""

    def read(self) -> Rows:
        """Return the rows. Raises BatchError for what cannot be read."""


def constant(value: str, rows: int) -> pa.Array:
    """Return a hive folder's value as a column: whole numbers as such, anything else as text."""
    plain = value.isdecimal() and value.isascii() and (value == "0" or value[0] != "0")
    if plain and len(value) < 18:
        return pa.array(np.full(rows, int(value), dtype=np.int64))
    return pa.repeat(pa.scalar(value, pa.string()), rows)


def with_partitions(
    batch: pa.RecordBatch, partitions: Sequence[tuple[str, str]], wanted: Sequence[str]
) -> pa.RecordBatch:
    """Return a batch with the columns that the file's folders speak of."""
    for name, value in partitions:
        if name in wanted and name not in batch.schema.names:
            batch = batch.append_column(name, constant(value, batch.num_rows))
    return batch
