"""A slice of rows to a part of the output: what one worker does, without looking at another."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.columns.answers import flattened
from batch.columns.fields import Array, plain
from batch.columns.score import Answered, TableScorer
from batch.inputs.files import Format
from batch.inputs.json_block import NotALine
from batch.inputs.rows import Rows, Slice
from batch.layout import FileLayout
from batch.outputs.lines import line_of
from batch.outputs.table import encode, joined
from batch.where import Condition
from scoring.explain import explanations
from scoring.observers.log_lines import Entry, Lines
from scoring.observers.observer import Caller
from scoring.predictor import Scored

_EXPLAINED_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Shape:
    """How every part of a run is made."""

    format: Format
    compressed: bool
    header: bool
    metadata: Mapping[str, str]
    bounds: Sequence[float]  # of the scores' histogram
    condition: Condition | None = None
    explain: bool = False
    log: Lines | None = None


class Part(NamedTuple):
    """A part's bytes, its rejected rows and its log as JSON lines, and its line of the ledger."""

    data: bytes
    extra: Mapping[str, bytes]
    entry: dict[str, Any]


def make(
    scorer: TableScorer,
    piece: Slice,
    layout: FileLayout,
    shape: Shape,
    *,
    source: str,
    name: str,
    limit: int | None = None,
) -> Part:
    """Return the part of a slice of the file `source`; of its first `limit` rows where that is
    given. Raises BatchError for what cannot be read, ArithmeticError for a broken model."""
    rows = piece.read()
    read = rows.batch.num_rows
    if shape.condition:
        rows = rows.chosen(shape.condition.rows(rows.batch))
    if limit is not None and rows.batch.num_rows > limit:
        rows = replace(rows.chosen(np.arange(limit)), malformed=())
    columns = {name: rows.batch.column(column) for name, column in layout.fields.items()}
    read_row = _reader(rows, layout)
    own = read_row if rows.read_row else None  # else the columns say all
    answered = scorer.score(columns, rows.batch.num_rows, own)
    table = _table(scorer, rows, layout, answered, shape, read_row)
    rejected = _rejected(rows, layout, answered, source)
    reasons = Counter(reason for one in rejected for reason in one.pop("reasons"))
    extra = {"rejected": b"".join(map(line_of, rejected))}
    if shape.log:
        extra["log"] = _log(scorer, answered, rows, read_row, shape.log, name)
    data = b""
    if table.num_rows:
        lines = None
        if _verbatim(rows, layout, shape):
            assert rows.lines is not None  # noqa: S101  # for the type checker
            every = rows.lines()
            places = range(len(every)) if answered.rows is None else answered.rows.tolist()
            lines = [every[place] for place in places]
        data = encode(
            table,
            shape.format,
            compressed=shape.compressed,
            header=shape.header,
            metadata=shape.metadata,
            lines=lines,
        )
    entry = {"input": source, "first": _first(rows), "read": read + len(rows.malformed)}
    outcome = _entry(answered, rows, len(rejected), shape)
    return Part(data, extra, {**entry, **outcome, "reasons": dict(reasons)})


def _reader(rows: Rows, layout: FileLayout) -> Any:
    """Return what gives the JSON value of a row, under the record's own names."""
    if rows.read_row is None:
        columns = {name: rows.batch.column(column) for name, column in layout.fields.items()}
        return lambda row: {name: plain(column[row].as_py()) for name, column in columns.items()}
    read = rows.read_row
    renamed = {column: name for name, column in layout.fields.items() if column != name}
    of_folders = [name for name, column in layout.fields.items() if column not in layout.in_file]

    def value(row: int) -> Any:
        found = read(row)
        if not isinstance(found, dict) or not (renamed or of_folders):
            return found
        made = {renamed.get(key, key): cell for key, cell in found.items()}
        for name in of_folders:
            made[name] = rows.batch.column(layout.fields[name])[row].as_py()
        return made

    return value


def _verbatim(rows: Rows, layout: FileLayout, shape: Shape) -> bool:
    """Tell whether lines are written as they were read, with the answer added."""
    return shape.format == "jsonl" and rows.lines is not None and layout.verbatim


def _table(
    scorer: TableScorer,
    rows: Rows,
    layout: FileLayout,
    answered: Answered,
    shape: Shape,
    read_row: Any,
) -> pa.Table:
    kept = {}
    if not _verbatim(rows, layout, shape):
        kept = {name: rows.batch.column(column) for name, column in layout.kept.items()}
    if answered.rows is not None:
        places = pa.array(answered.rows)
        kept = {name: column.take(places) for name, column in kept.items()}
    count = len(answered.scores)
    made = {**flattened(answered.answers), **scorer.ends(answered.scores)}
    every = pa.array(np.zeros(count, dtype=np.int8))
    version = pa.array([scorer.predictor.version], pa.string())
    made["model_version"] = pa.DictionaryArray.from_arrays(every, version)
    made["unseen"] = answered.unseen
    made["beyond"] = answered.beyond
    if shape.explain:
        made |= _explained(scorer, _values(answered, rows, read_row))
    return joined(kept, made)


def _values(answered: Answered, rows: Rows, read_row: Any) -> list[Any]:
    places = range(rows.batch.num_rows) if answered.rows is None else answered.rows.tolist()
    return [read_row(place) for place in places]


def _explained(scorer: TableScorer, values: Sequence[Any]) -> dict[str, pa.Array]:
    """Return a column of contributions a feature, and where they are exact, their base."""
    lines: list[dict[str, float | None]] = []
    for start in range(0, len(values), _EXPLAINED_AT_ONCE):
        records = scorer.predictor.reader.many(list(values[start : start + _EXPLAINED_AT_ONCE]))
        for found in explanations(scorer.predictor, records):
            line = {
                f"contribution_{c['feature']}": c["contribution"] for c in found["contributions"]
            }
            if "base" in found:
                line["contribution_base"] = found["base"]
            lines.append(line)
    names = sorted({name for line in lines for name in line})
    return {name: pa.array([line.get(name) for line in lines], pa.float64()) for name in names}


def _rejected(
    rows: Rows, layout: FileLayout, answered: Answered, source: str
) -> list[dict[str, Any]]:
    """Return the rows that are not valid, in the order of the file."""
    found = [
        {"file": source, "row": number, "errors": [error._asdict()], "reasons": ["line: other"]}
        for number, error in rows.malformed
    ]
    places = np.array([one.row for one in answered.rejected], dtype=np.int64)
    numbers = rows.numbers(places).tolist() if len(places) else []
    values = _as_read(rows, layout, places)
    for one, number, read in zip(answered.rejected, numbers, values, strict=True):
        errors = [error._asdict() for error in one.errors]
        if isinstance(read, NotALine):
            errors = [{"field": "line", "problem": read.problem}]
        found.append(
            {
                "file": source,
                "row": number,
                "errors": errors,
                "reasons": [f"{error.field}: {error.reason}" for error in one.errors],
                "values": None if isinstance(read, NotALine) else read,
            }
        )
    return sorted(found, key=lambda one: one["row"])


def _as_read(rows: Rows, layout: FileLayout, places: Array) -> list[Any]:
    """Return what was read at some places, under the file's own names."""
    if rows.read_row is not None:
        return [rows.read_row(place) for place in places.tolist()]
    at = pa.array(places)
    held = {name: rows.batch.column(name).take(at).to_pylist() for name in layout.fields.values()}
    return [dict(zip(held, cells, strict=True)) for cells in zip(*held.values(), strict=True)]


def _log(
    scorer: TableScorer,
    answered: Answered,
    rows: Rows,
    read_row: Any,
    formatter: Lines,
    name: str,
) -> bytes:
    """Return the prediction log's lines of the valid rows."""
    records = scorer.predictor.reader.many(_values(answered, rows, read_row))
    answers = []
    columns = {key: column.to_pylist() for key, column in answered.answers.items()}
    told = {"unseen": answered.unseen.to_pylist(), "beyond": answered.beyond.to_pylist()}
    for place in range(len(records)):
        answer = {key: column[place] for key, column in columns.items()}
        answers.append(answer | {key: found[place] for key, found in told.items() if found[place]})
    scored = Scored(records, answered.scores.tolist(), answers)
    entry = Entry(time.time(), Caller(f"batch/{name}"), scorer.predictor, scored)
    return b"".join(formatter.of(entry))


def _first(rows: Rows) -> int | None:
    if not rows.batch.num_rows:
        return None
    return int(rows.numbers(np.array([0]))[0])


def _entry(answered: Answered, rows: Rows, rejected: int, shape: Shape) -> dict[str, Any]:
    scores = answered.scores
    # a comparison with each bound takes a fifth of the time of a search for each score
    above = [len(scores), *(int(np.count_nonzero(scores > bound)) for bound in shape.bounds), 0]
    counts = [before - after for before, after in itertools.pairwise(above)]
    truths = {
        name: int(pc.sum(column).as_py() or 0)
        for name, column in answered.answers.items()
        if pa.types.is_boolean(column.type)
    }
    return {
        "rows": rows.batch.num_rows + len(rows.malformed),
        "scored": len(scores),
        "rejected": rejected,
        "unseen": int(pc.sum(pc.greater(pc.list_value_length(answered.unseen), 0)).as_py() or 0),
        "scores": {
            "sum": float(scores.sum()),
            "min": float(scores.min()) if len(scores) else None,
            "max": float(scores.max()) if len(scores) else None,
            "counts": counts,
        },
        "truths": truths,
    }
