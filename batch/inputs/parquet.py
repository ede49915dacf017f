"""Parquet files: their columns, and their rows as slices that are streamed from one row group after
the other, so that memory holds some slices and no row group."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from batch.errors import BatchError
from batch.inputs.files import Source, file_system, first_line
from batch.inputs.rows import Rows, with_partitions

if TYPE_CHECKING:
    import pyarrow.dataset as ds

SLICE_ROWS: Final = 1 << 18  # of a part of the output, at most
FIRST_ROWS: Final = 1 << 14  # of a run's first part, which is there that much sooner
_AT_ONCE: Final = 1 << 16  # rows that are decoded at a time where the first slice is small
_NO_PATH: Final = (pa.ArrowException, OSError, ValueError)


@dataclass(frozen=True)
class ParquetSlice:
    """Rows that were read already: `first` is the place of the first of them in the file."""

    number: int
    batch: pa.RecordBatch
    first: int
    size: int

    def read(self) -> Rows:
        """Return the rows."""
        return Rows(self.batch, lambda places: places + self.first)


def schema_of(source: Source) -> tuple[pa.Schema, int]:
    """Return a file's columns and how many rows it has. Raises BatchError for a damaged one."""
    with _opened(source) as file:
        return file.schema_arrow, int(file.metadata.num_rows)


def slices(
    source: Source,
    columns: Sequence[str],
    *,
    coded: Collection[str] = (),
    where: ds.Expression | None = None,
    done: Collection[int] = (),
    groups: Collection[int] | None = None,
    begins: bool = False,
) -> Iterator[ParquetSlice]:
    """Yield the slices of a file in order, except those that are `done`, with `columns`; of row
    `groups` alone where these are given. Row groups that cannot hold a row of `where` are skipped.
    Columns that are `coded` come as dictionaries where they are texts. With the file a run
    `begins`."""
    with _opened(source, coded) as file:
        within = [name for name in columns if name in file.schema_arrow.names]
        kept = _groups(source, where)
        number = first = 0
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            sizes = cut(rows, begins=begins and group == 0)
            wanted = [n for n in range(number, number + len(sizes)) if n not in done]
            if wanted and (kept is None or group in kept) and (groups is None or group in groups):
                begin = first
                for place, batch in enumerate(_batches(file, group, within, source, sizes)):
                    if number + place in wanted:
                        complete = with_partitions(batch, source.partitions, columns)
                        size = source.size * batch.num_rows // file.metadata.num_rows
                        yield ParquetSlice(number + place, complete, begin + 1, size)
                    begin += batch.num_rows
            number += len(sizes)
            first += rows


def cut(rows: int, *, begins: bool) -> list[int]:
    """Return how many rows each slice of a row group has; `begins` is said of a run's first one."""
    whole, left = divmod(rows, SLICE_ROWS)
    sizes = [*[SLICE_ROWS] * whole, *([left] if left else [])]
    if begins and sizes and sizes[0] > FIRST_ROWS:
        sizes[:1] = FIRST_ROWS, sizes[0] - FIRST_ROWS
    return sizes


def rows_of_groups(source: Source) -> list[int]:
    """Return how many rows each row group of a file has."""
    with _opened(source) as file:
        return [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]


def _batches(
    file: Any, group: int, columns: Sequence[str], source: Source, sizes: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Yield a row group's rows in batches of these sizes, which are all of its rows."""
    try:
        # to decode no more than a small first slice would have the others joined of many batches
        small = sizes[0] < min(sum(sizes), SLICE_ROWS)
        at_once = min(_AT_ONCE, SLICE_ROWS) if small else SLICE_ROWS
        stream = file.iter_batches(at_once, row_groups=[group], columns=list(columns))
        waiting: list[pa.RecordBatch] = []
        missing, later = sizes[0], iter(sizes[1:])
        for batch in stream:
            part = batch
            while part.num_rows:
                waiting.append(part.slice(0, missing))
                part = part.slice(waiting[-1].num_rows)
                missing -= waiting[-1].num_rows
                if not missing:
                    yield _joined(waiting)
                    waiting, missing = [], next(later, SLICE_ROWS)
    except _NO_PATH as error:
        raise _damaged(source, error) from error


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]


def _groups(source: Source, where: ds.Expression | None) -> set[int] | None:
    """Return the row groups in which a row of `where` may be, by their statistics."""
    if where is None:
        return None
    import pyarrow.dataset as ds  # takes as long to import as all the others

    files, path = file_system(source.name)
    fragment = ds.ParquetFileFormat().make_fragment(path, files)
    try:
        return {group.id for group in fragment.subset(filter=where).row_groups}
    except _NO_PATH:
        return None  # a column of a folder, or of another type: rows will tell


def _opened(source: Source, coded: Collection[str] = ()) -> Any:
    files, _ = file_system(source.name)
    try:
        return pq.ParquetFile(
            source.path, filesystem=files, read_dictionary=list(coded), pre_buffer=True
        )
    except _NO_PATH as error:
        raise _damaged(source, error) from error


def _damaged(source: Source, error: Exception) -> BatchError:
    return BatchError(f"{source.name} cannot be read, is it complete? {first_line(error)}")
