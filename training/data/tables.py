"""From files to one table whose columns are a model's record fields and its target."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import hashlib
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.cells import excels_separator
from scoring.models import Model
from training.data.columns import require, short
from training.data.values import field_schema
from training.errors import TrainingError
from training.sources import WHEN, Source

_ROWS_AT_ONCE = 500_000  # of a Parquet file: a month of yellow cabs is read in slices
_BYTES_AT_ONCE = 1 << 20
_SHOWN = 60  # characters of a CSV's first line in a message


@dataclass(frozen=True)
class Table:
    """Rows of one split as they were read, and where they come from."""

    frame: pd.DataFrame
    name: str
    sha256: str


def read(model: Model, source: Source, paths: Sequence[Path]) -> Table:
    """Return the rows of all `paths`, in order; a folder stands for the files in it, by name.

    Without paths it is the bundled sample. Raises TrainingError for a file that is missing, damaged
    or of another kind, or that lacks columns that the model needs.
    """
    if not paths:
        if source.sample is None:
            raise TrainingError(f"there is no sample for '{model.name}': name files with --data")
        paths = [source.sample]
    digest = hashlib.sha256()
    slices = []
    for path in (file for given in paths for file in _files(given)):
        slices += _slices(path, source, model)
        with path.open("rb") as file:
            while block := file.read(_BYTES_AT_ONCE):
                digest.update(block)
    frame = pd.concat(slices, ignore_index=True)
    return Table(frame, ", ".join(p.name for p in paths), digest.hexdigest())


def read_raw(paths: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of all `paths`, in order, with the columns as they are. Raises TrainingError
    for a file that is missing, damaged or of another kind."""
    frames = []
    for path in (file for given in paths for file in _files(given)):
        if _kind(path) == "parquet":
            frames.append(_read(path, lambda path: pq.ParquetFile(path).read().to_pandas()))
        else:
            frames.append(_read(path, lambda path: _csv(path, set(), set())))
    whole: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return whole


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    # as Spark and pyarrow do, leave out what is hidden or begins with _, such as _SUCCESS
    shown = (p for p in path.rglob("*") if not any(n[0] in "._" for n in p.relative_to(path).parts))
    if parts := sorted(p for p in shown if p.is_file() and _kind(p)):
        return parts
    raise TrainingError(f"the folder {path} holds no .parquet, .csv or .csv.gz file")


def _kind(path: Path) -> str:
    """Return "parquet", "csv" or, for any other file, ""."""
    name = path.name.lower()
    return "parquet" if name.endswith(".parquet") else "csv" * name.endswith((".csv", ".csv.gz"))


def _slices(path: Path, source: Source, model: Model) -> list[pd.DataFrame]:
    """Return the rows of a file, in order.

    A Parquet file is read slice by slice, so that only the columns that are used are ever in memory
    as a whole.
    """
    whole = [n for n in model.record.model_fields if _kind_of(model, n) == "integer"]
    texts = {n.lower() for n in model.record.model_fields if _kind_of(model, n) == "string"}

    def tidied(raw: pd.DataFrame) -> pd.DataFrame:
        frame = source.tidy(raw)
        for name, field in model.record.model_fields.items():
            if name not in frame and not field.is_required():  # as where a request has no such key
                frame = frame.assign(**{name: field.get_default(call_default_factory=True)})
        columns = [*model.record.model_fields, model.target]
        require(frame, columns)
        frame = frame[columns + ([WHEN] if WHEN in frame.columns else [])]
        numeric = [name for name in whole if pd.api.types.is_numeric_dtype(frame[name])]
        return frame.assign(**{n: short(frame[n]) for n in numeric if frame[n].dtype != bool})

    if _kind(path) == "parquet":
        with contextlib.suppress(TrainingError):  # the message must be about the whole file
            if slices := [tidied(raw) for raw in _parquet(path, source.columns)]:
                return slices
        raw = _read(path, lambda path: pq.ParquetFile(path).read().to_pandas())
    else:
        fields = {*model.record.model_fields, model.target}
        raw = _read(path, lambda path: _csv(path, texts, fields))
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


def _read(path: Path, how: Callable[[Path], Any]) -> Any:
    """Return what `how` makes of the file; raise TrainingError with its name and the reason."""
    if not _kind(path):
        raise TrainingError(f"{path.name}: expected a .parquet, .csv or .csv.gz file")
    try:
        return how(path)
    except FileNotFoundError:
        raise TrainingError(f"there is no file {path}") from None
    except (OSError, EOFError, ValueError, pa.ArrowException) as error:
        if what := _what_it_is(path):
            raise TrainingError(f"{path.name} {what}") from error
        reason = str(error).splitlines()[0]
        raise TrainingError(f"{path.name} cannot be read, is it complete? {reason}") from error


def _what_it_is(path: Path) -> str | None:
    """Return what a file is that is not what its name says, with what to do; None if unknown."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return None
    if not start:
        return "is empty"
    kind = _kind(path)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "holds a web page: was a login or an error saved? Download it again"
    for mark, (called, suits) in _MARKS.items():
        if start.startswith(mark) and not path.name.lower().endswith(suits):
            return f"is {called}, whatever its name says; save it as what it is named, or rename it"
    if kind == "parquet" and not start.startswith(b"PAR1") and start.isascii():
        return "is a text and no Parquet file; rename it to .csv if it is one"
    if path.name.lower().endswith(".gz") and not start.startswith(b"\x1f\x8b"):
        return "is not compressed, whatever its name says; rename it to .csv"
    return None


def _csv(path: Path, texts: Set[str], fields: Set[str]) -> pd.DataFrame:
    """Return the rows of a CSV; the columns `texts`, in lower case, are read as texts, and each of
    `fields` is there once at most."""
    try:
        with _open(path) as file:
            line = _first_line(file)
            separator = excels_separator(line + "\n")
            names = _header(path.name, _first_line(file) if separator else line, separator or ",")
        if twice := sorted({name.strip() for name in names if names.count(name) > 1} & fields):
            raise TrainingError(f"{path.name} has the column '{twice[0]}' twice: leave one out")
        # "007" in a field of texts is no number; "NA" and "N/A" are words in these files, and only
        # an empty cell is a missing value
        as_text = {name: "str" for name in names if name.strip().lower().replace(" ", "") in texts}
        frame = pd.read_csv(
            path,
            keep_default_na=False,
            na_values=[""],
            dtype=as_text,
            encoding="utf-8-sig",
            sep=separator or ",",
            skiprows=1 if separator else 0,
        ).rename(columns=str.strip)
    except pd.errors.ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise TrainingError(
            f"{path.name} cannot be read: {reason}; is a comma or a quote within a text, which "
            "then has to stand in quotes?"
        ) from error
    except UnicodeDecodeError as error:
        what = _what_it_is(path)
        line = f"{path.name} {what}" if what else _other_encoding(path, error)
        raise TrainingError(line) from error
    for place, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):  # a cell of spaces is empty, as in a request
            column = frame.iloc[:, place]
            blank = column.map(lambda cell: isinstance(cell, str) and cell.isspace())
            if blank.any():
                frame.isetitem(place, column.mask(blank).array)
    return frame


# What files begin with, what that is called, and the end of a name that such a file may have.
_MARKS = {
    b"PK\x03\x04": ("a zip or a spreadsheet", ".zip"),
    b"\x1f\x8b": ("compressed by gzip", ".gz"),
    b"PAR1": ("a Parquet file", ".parquet"),
}


def _kind_of(model: Model, field: str) -> Any:
    return field_schema(model, field).get("type")


def _first_line(file: BufferedIOBase) -> str:
    """Return the first line that holds anything; lines may end in a carriage return alone."""
    line = b""
    while not line.strip() and (read := file.readline()):
        line = read.lstrip(b"\r")
    return line.partition(b"\r")[0].decode("utf-8-sig")


def _header(name: str, line: str, delimiter: str) -> list[str]:
    """Return the column names in the first line of a CSV; raise TrainingError if it has none."""
    shown = line.strip()[:_SHOWN]
    names = next(csv.reader([line], delimiter=delimiter), [])
    if len(names) == 1 and delimiter == ",":
        for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if separator in line:
                raise TrainingError(
                    f"{name}: its first line, {shown!r}, is separated by {word}; save it with "
                    "commas"
                )
    if any(_is_number(cell) for cell in names):
        raise TrainingError(
            f"{name}: its first line, {shown!r}, holds values and no column names; add a line of "
            "names above it"
        )
    return names


def _is_number(cell: str) -> bool:
    with contextlib.suppress(ValueError):
        float(cell)
        return cell.strip().lower() not in ("nan", "inf", "infinity")
    return False


def _other_encoding(path: Path, error: UnicodeDecodeError) -> str:
    """Say which byte is no UTF-8, in which line, and what it probably is."""
    with _open(path) as file:
        body = file.read()
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{path.name}: it is UTF-16; save it as UTF-8"
    try:
        body.decode("utf-8-sig")
    except UnicodeDecodeError as whole:  # pandas counts from where it read last
        error = whole
    line = body.count(b"\n", 0, error.start) + 1
    byte = error.object[error.start : error.start + 1]
    letter = byte.decode("cp1252", "replace")
    return (
        f"{path.name}: line {line} holds the byte 0x{byte.hex()}, which is not UTF-8 (in "
        f"Windows-1252 it is {letter!r}); save it as UTF-8, or: iconv -f WINDOWS-1252 -t UTF-8"
    )


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")
