"""From files to a table whose columns are a model's record fields and its target.

A model whose data is published in another shape has a module of its own here, named after it, that
ends in `SOURCE = Source(...)`. Any other model's files (CSV or parquet) hold the columns already.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.models import Model
from training.errors import TrainingError

# An optional column beside the fields and the target: the moment at which the record was known.
# Rows that have it are split by time.
WHEN = "when"

_ROWS_AT_ONCE = 500_000  # of a parquet file: what a month of yellow cabs has is read in slices
_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Source:
    """How one model's published files are read.

    `tidy` takes the file's columns as they are and gives the record's fields, the target and, for a
    split by time, WHEN, row by row: it may be given a slice; it may mark an unusable value as
    missing. `columns` are all that it looks at of a parquet file, none: every one. `target_range`
    are the least and the largest target that training uses. `bands` cut one field for the error by
    segment.
    """

    tidy: Callable[[pd.DataFrame], pd.DataFrame]
    columns: tuple[str, ...] = ()
    target_range: tuple[float, float] | None = None
    sample: Path | None = None
    bands: tuple[str, tuple[float, ...]] | None = None
    months: bool = False  # can be downloaded by month
    sparse: bool = True  # whether one-hot columns are too many for a dense matrix


@dataclass(frozen=True)
class Table:
    """Rows of one split as they were read, and where they come from."""

    frame: pd.DataFrame
    name: str
    sha256: str
    files: tuple[Path, ...] = field(default=())


def source_of(model: Model) -> Source:
    """Gives the model's own source, or one that takes its columns as they are."""
    name = f"{__name__}.{model.name}"
    if importlib.util.find_spec(name) is None:
        return Source(tidy=lambda frame: frame)
    source: Source = importlib.import_module(name).SOURCE
    return source


def read(model: Model, source: Source, paths: Sequence[Path]) -> Table:
    """Gives the rows of all `paths`, in order. Raises TrainingError for a file that is missing,
    damaged, of another kind, or without the columns that the model needs."""
    if not paths:
        if source.sample is None:
            raise TrainingError(f"there is no sample for '{model.name}': name files with --data")
        paths = [source.sample]
    digest = hashlib.sha256()
    slices = []
    for path in paths:
        slices += _slices(path, source, model)
        with path.open("rb") as file:
            while block := file.read(_BYTES_AT_ONCE):
                digest.update(block)
    frame = pd.concat(slices, ignore_index=True)
    return Table(frame, ", ".join(p.name for p in paths), digest.hexdigest(), tuple(paths))


def require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises TrainingError naming every one of `columns` that `frame` lacks or has twice."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TrainingError(
            f"{len(missing)} of {len(columns)} columns are missing: {', '.join(missing)}; "
            f"there are: {', '.join(map(str, frame.columns)) or 'none'}"
        )
    if twice := sorted({*frame.columns[frame.columns.duplicated()]} & {*columns}):
        raise TrainingError(f"{len(twice)} columns are there more than once: {', '.join(twice)}")


def numbers(column: pd.Series[Any]) -> pd.Series[float]:
    """Gives a column of numbers as float64; raises TrainingError where it holds anything else."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        raise TrainingError(
            f"column {column.name} holds {column.dtype} in {len(column)} rows; numbers are expected"
        )
    return column.astype("float64")


def _needed(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    columns = [*model.record.model_fields, model.target]
    require(frame, columns)
    return frame[columns + ([WHEN] if WHEN in frame.columns else [])]


def short(column: pd.Series[Any]) -> pd.Series[Any]:
    """Gives a column of whole numbers in the shortest of int16, int32 and int64 that holds every
    one of them, any other column as it is."""
    numbers = column.to_numpy()
    for kind in (np.int16, np.int32, np.int64):
        limits = np.iinfo(kind)
        # neither NaN nor infinity; the largest int64 is no float64, the next one is too large
        within = (numbers >= limits.min) & (numbers < limits.max)
        if within.all() and (numbers == numbers.astype(kind)).all():
            return column.astype(kind)
    return column


def _slices(path: Path, source: Source, model: Model) -> list[pd.DataFrame]:
    """Gives the rows of a file in order, in slices that were read one by one where it is parquet:
    only what a slice leaves behind is kept."""
    schema = model.record.model_json_schema()["properties"]
    whole = [name for name, field in schema.items() if field.get("type") == "integer"]

    def tidied(raw: pd.DataFrame) -> pd.DataFrame:
        frame = _needed(source.tidy(raw), model)
        numeric = [name for name in whole if pd.api.types.is_numeric_dtype(frame[name])]
        return frame.assign(**{n: short(frame[n]) for n in numeric if frame[n].dtype != bool})

    if path.suffix == ".parquet":
        with contextlib.suppress(TrainingError):  # what is said must be of the whole file
            if slices := [tidied(raw) for raw in _parquet(path, source.columns)]:
                return slices
    raw = _read(path, _parquet_at_once if path.suffix == ".parquet" else _csv)
    try:
        return [tidied(raw)]
    except TrainingError as error:
        raise TrainingError(f"{path.name}: {error}") from error


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    file = _read(path, pq.ParquetFile)
    wanted = [name for name in file.schema_arrow.names if name in columns]
    batches = file.iter_batches(_ROWS_AT_ONCE, columns=wanted or None)
    while batch := _read(path, lambda _: next(batches, None)):
        yield batch.to_pandas()


def _parquet_at_once(path: Path) -> pd.DataFrame:
    return pq.ParquetFile(path).read().to_pandas()  # type: ignore[no-any-return]  # pyarrow has no types


def _csv(path: Path) -> pd.DataFrame:
    # "NA" and "N/A" are words in these files; only an empty cell is a missing value
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _read(path: Path, how: Callable[[Path], Any]) -> Any:
    if path.suffix not in (".parquet", ".csv"):
        raise TrainingError(f"{path.name}: expected a .parquet or .csv file")
    try:
        return how(path)
    except FileNotFoundError:
        raise TrainingError(f"there is no file {path}") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"{path.name} cannot be read, is it complete? {reason}") from error
