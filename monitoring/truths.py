"""Read what came true: Parquet, CSV or JSON lines with a key and the truth of each prediction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as paj
import pyarrow.parquet as pq

from monitoring.errors import MonitoringError, UsageError
from monitoring.kept import Keeper
from monitoring.store import Store
from monitoring.writing import Writing
from scoring.models import Model

REQUEST_ID: Final = "request_id"
_ROWS: Final = 1 << 18  # of one part of what is kept
_YES: Final = ("true", "yes", "1", "1.0")
_NO: Final = ("false", "no", "0", "0.0")
_READ: Final = (".parquet", ".csv", ".jsonl")


@dataclass
class Came:
    """What came of some files of truths."""

    files: int = 0
    known: int = 0
    rows: int = 0
    bad: Counter[str] = field(default_factory=Counter)

    def said(self) -> str:
        """Return it as a line for people."""
        parts = [f"{self.rows} truths of {self.files} files"]
        if self.known:
            parts.append(f"{self.known} files were known already")
        parts += [f"{n} rows left out: {why}" for why, n in self.bad.most_common()]
        return "; ".join(parts)


def take(
    store: Store, paths: Sequence[Path], model: Model, key: str, actual: str | None, keeper: Keeper
) -> Came:
    """Keep the truths of these files. Raises UsageError where a column is missing or the model
    tells more than two classes apart, MonitoringError for a file that cannot be read; a file comes
    whole or not at all."""
    if model.classes:
        raise UsageError(
            f"'{model.name}' tells {len(model.classes)} classes apart: truths can be kept of "
            "numbers and of two classes"
        )
    came = Came()
    for path in paths:
        came.files += 1
        try:
            digest = _digest(path, model.name, key, actual, keeper.ids)
            with store.writing() as writing:
                if writing.knows(digest):
                    came.known += 1
                    continue
                rows, bad = came.rows, came.bad.total()
                for table in _tables(path):
                    kept = _kept(table, path, model, key, actual, keeper, came.bad)
                    writing.add_truths(digest, model.name, key, len(kept), content_of(kept))
                    came.rows += len(kept)
                size = path.stat().st_size
                # a length of nothing: no log begins with it
                bad = came.bad.total() - bad
                writing.add_file(digest, -size, path.name, came.rows - rows, bad)
        except OSError as error:
            raise MonitoringError(f"{path} cannot be read: {error.strerror or error}") from None
        except pa.ArrowException as error:
            raise MonitoringError(f"{path} cannot be read: {error}") from None
    return came


def keep(writing: Writing, digest: str, told: pa.Table, keeper: Keeper) -> int:
    """Keep feedback that the file with this digest held, and return how many truths; none where no
    ids are kept."""
    if keeper.ids == "none":
        return 0
    for model in told.column("model").unique().to_pylist():
        some = told.filter(pc.equal(told.column("model"), model)).combine_chunks()
        kept = pa.table(
            {
                "key": keeper.named(some.column(REQUEST_ID).chunk(0)),
                "actual": some.column("actual"),
                "index": some.column("index").cast(pa.int32()),
            }
        )
        writing.add_truths(digest, model, REQUEST_ID, len(kept), content_of(kept))
    return len(told)


def content_of(table: pa.Table) -> bytes:
    """Return truths as they are kept."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def table_of(content: bytes) -> pa.Table:
    """Return what `content_of` made bytes of: key, index (of request ids), actual."""
    return pq.ParquetFile(pa.BufferReader(content)).read()


def number_of(column: pa.Array, model: Model) -> pa.Array:
    """Return truths as float64: a class is 1 where it is the positive one; null where a value is
    none of these."""
    if model.task == "regression":
        found = column if _is_number(column.type) else pc.if_else(
            pc.match_substring_regex(column.cast(pa.string()), _NUMBER), column.cast(pa.string()),
            None)  # fmt: skip
        found = found.cast(pa.float64())
        return pc.if_else(pc.is_finite(found), found, None)
    text = pc.utf8_lower(column.cast(pa.string()))
    yes, no = (pc.is_in(text, value_set=pa.array(words)) for words in (_YES, _NO))
    return pc.if_else(yes, 1.0, pc.if_else(no, 0.0, pa.scalar(None, pa.float64())))


_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _kept(
    table: pa.Table, path: Path, model: Model, key: str, actual: str | None, keeper: Keeper,
    bad: Counter[str],
) -> pa.Table:  # fmt: skip
    named = actual or next((n for n in ("actual", model.target) if n in table.column_names), None)
    for name in (key, named):
        if name not in table.column_names:
            wanted = f"column '{name}'" if name else "column 'actual'"
            raise UsageError(
                f"{path} has no {wanted}; it has {', '.join(table.column_names)}: name the truth's "
                "by --actual, the id's by --key"
            )
    columns = {
        "key": _plain(table.column(key)).cast(pa.string()),
        "actual": number_of(_plain(table.column(named)), model),
    }
    if key == REQUEST_ID:
        index = table.column("index").cast(pa.int32()) if "index" in table.column_names else None
        columns["index"] = pa.repeat(0, len(table)).cast(pa.int32()) if index is None else (
            pc.fill_null(index, 0))  # fmt: skip
    made = pa.table(columns)
    for name, why in (("key", "no key"), ("actual", f"no {_kind(model)}")):
        whole = len(made)
        made = made.filter(pc.is_valid(made.column(name)))
        if whole - len(made):
            bad[why] += whole - len(made)
    return made.set_column(
        made.column_names.index("key"),
        "key",
        keeper.named(made.column("key").combine_chunks()) if len(made) else made.column("key"),
    )


def _kind(model: Model) -> str:
    return "number" if model.task == "regression" else "yes, no, true, false, 1 or 0"


def _plain(column: Any) -> Any:
    column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _tables(path: Path) -> Iterator[pa.Table]:
    """Yield parts of a file."""
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(_ROWS):
            yield pa.Table.from_batches([batch])
        return
    if path.suffix == ".csv":
        with pacsv.open_csv(path) as opened:
            types = dict.fromkeys(opened.schema.names, pa.string())  # a key is text
        table = pacsv.read_csv(
            path, convert_options=pacsv.ConvertOptions(column_types=types, strings_can_be_null=True)
        )
    elif path.suffix == ".jsonl":
        table = paj.read_json(path)
    else:
        raise UsageError(f"{path}: truths are read from {', '.join(_READ)}")
    for first in range(0, len(table), _ROWS):
        yield table.slice(first, _ROWS)


def _digest(path: Path, *words: str | None) -> str:
    """Return what tells this file, read so, from any other."""
    digest = hashlib.sha256(repr(words).encode())
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()
