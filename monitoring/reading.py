"""Read prediction logs of JSON lines (also .gz) as blocks of columns.

A block of lines is read in one pass: predictions alone by msgspec, with other lines by Arrow. What
both refuse is read line by line: a line that is none is left out and counted, and the others go on.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as paj

from monitoring import letters, structs
from monitoring.blocks import HASHED, Block, split
from monitoring.numpy_arrow import as_numpy
from monitoring.refusals import Refusal, refusal_of
from scoring.observers.log_lines import SCHEMA

_BATCH: Final = 1 << 16  # rows
_BLOCK_BYTES: Final = 4 * 1024 * 1024
_SCHEMA: Final = pa.schema(
    {
        "schema": pa.int64(),
        "time": pa.string(),
        "request_id": pa.string(),
        "key": pa.string(),
        "model": pa.string(),
        "version": pa.string(),
        "digest": pa.string(),
        "index": pa.int64(),
        "score": pa.float64(),
        "unseen": pa.list_(pa.string()),
        "kind": pa.string(),
        "actual": pa.float64(),
        "errors": pa.list_(
            pa.struct({"field": pa.string(), "reason": pa.string(), "records": pa.int64()})
        ),
    }
)
_NEEDED: Final[dict[str, Any]] = {
    "time": str, "request_id": str, "model": str, "version": str, "digest": str, "index": int,
    "score": (int, float), "features": dict,
}  # fmt: skip
_WHERE_THERE: Final[dict[str, Any]] = {"unseen": list, "ids": dict}  # else null, or left out

_FEEDBACK: Final = "feedback"  # a line that tells what came true
_REFUSED: Final = "refused"  # a line of a request that was refused
_OF_FEEDBACK: Final[dict[str, Any]] = {
    "model": str, "request_id": str, "index": int, "actual": (int, float)
}  # fmt: skip

_OF_REFUSED: Final = ["model", "time", "errors"]

# the last: an integer of more than 64 bits
_UNREADABLE: Final = (pa.ArrowException, ValueError, OverflowError)

Bad = Counter[str]  # why -> lines that are left out


@dataclass
class Told:
    """What lines hold that are none of a prediction."""

    truths: list[pa.Table] = field(default_factory=list)  # model, request_id, index, actual
    refusals: list[Refusal] = field(default_factory=list)


def json_lines(path: Path, offset: int, end: int, bad: Bad, told: Told) -> Iterator[Block]:
    """Yield what the whole lines between two places of the file hold; `bad` and `told` are added
    to."""
    waiting: list[pa.Table] = []  # of one schema, some small ones for a large block
    for data in _whole_lines(path, offset, end):
        table = structs.table_of(data)
        if waiting and (table is None or table.schema != waiting[0].schema):
            yield from split(pa.concat_tables(waiting))
            waiting = []
        if table is None:
            yield from _with_other_lines(data, bad, told)
            continue
        waiting.append(table)
        if sum(map(len, waiting)) >= _BATCH:
            yield from split(pa.concat_tables(waiting))
            waiting = []
    if waiting:
        yield from split(pa.concat_tables(waiting))


def _whole_lines(path: Path, offset: int, end: int) -> Iterator[bytes]:
    with _opened(path) as file:
        file.seek(offset)
        rest = b""
        while offset < end and (data := file.read(min(_BLOCK_BYTES, end - offset))):
            offset += len(data)
            data = rest + data
            cut = data.rfind(b"\n") + 1
            rest = data[cut:]
            if cut:
                yield data[:cut]
        if rest:  # in a file of which the caller knows that it is complete
            yield rest


def blocks_of(data: bytes, bad: Bad, told: Told) -> Iterator[Block]:
    """Yield what lines of a prediction log hold; `bad` and `told` are added to."""
    table = structs.table_of(data)
    yield from _with_other_lines(data, bad, told) if table is None else split(table)


def _with_other_lines(data: bytes, bad: Bad, told: Told) -> Iterator[Block]:
    try:
        table = paj.read_json(
            pa.BufferReader(data),
            read_options=paj.ReadOptions(block_size=max(len(data) // 4, 1 << 20)),
            parse_options=paj.ParseOptions(explicit_schema=_SCHEMA),
        )
        known = as_numpy(table.column("schema").combine_chunks()) == SCHEMA
        # as many as lines: Arrow takes an object over several lines, too
        if not known.all() or table.num_rows != data.count(b"\n"):
            raise ValueError("other lines")
        truths, refusals = None, []
        if table.column("kind").null_count < table.num_rows:
            truths = _truths(table.filter(pc.equal(table.column("kind"), _FEEDBACK)))
            refused = table.filter(pc.equal(table.column("kind"), _REFUSED))
            refusals = list(map(refusal_of, refused.select(_OF_REFUSED).to_pylist()))
            table = table.filter(pc.is_null(table.column("kind")))
        found = list(split(table)) if table.num_rows else []
        told.truths += [truths] if truths else []
        told.refusals += refusals
    except (pa.ArrowException, ValueError, KeyError):
        found = list(_line_by_line(data, bad, told))
    yield from found


def _line_by_line(data: bytes, bad: Bad, told: Told) -> Iterator[Block]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for text in data.splitlines():
        if not text.strip():
            continue
        line = _line(text, bad, told)
        if line is not None and line.get("kind") == _FEEDBACK:
            told.truths.append(_truths(pa.Table.from_pylist([line])))
        elif line is not None and line.get("kind") == _REFUSED:
            told.refusals.append(refusal_of(line))
        elif line is not None:
            hashed = [n for n, v in line["features"].items() if str(v).startswith(HASHED)]
            key = (line["model"], line["version"], line["digest"], *hashed)
            groups.setdefault(key, []).append(line)
    for lines in groups.values():
        try:
            yield from split(pa.Table.from_pylist(lines))
        except _UNREADABLE:
            for line in lines:  # a value of another type than the others'
                try:
                    yield from split(pa.Table.from_pylist([line]))
                except _UNREADABLE:
                    bad["no line of a prediction log"] += 1


def _line(text: bytes, bad: Bad, told: Told) -> dict[str, Any] | None:
    try:
        line = orjson.loads(text)
    except ValueError:
        bad["not JSON"] += 1
        return None
    if letters.is_letter(line):
        add_letter(line, bad, told)
        return None
    if not isinstance(line, dict) or "schema" not in line:
        bad["no line of a prediction log"] += 1
        return None
    if line["schema"] != SCHEMA:
        bad[f"schema {line['schema']!r}, which is not known here"] += 1
        return None
    if line.get("kind") in (_FEEDBACK, _REFUSED):
        if _is_whole(line):
            return line
        bad["no line of a prediction log"] += 1
        return None
    wrong = [name for name, kind in _NEEDED.items() if not isinstance(line.get(name), kind)]
    wrong += [name for name, kind in _WHERE_THERE.items()
              if line.get(name) is not None and not isinstance(line[name], kind)]  # fmt: skip
    try:
        when = datetime.fromisoformat(line["time"].replace(":60", ":59"))  # a leap second
    except (ValueError, KeyError, AttributeError):
        wrong.append("time")
    if wrong:
        bad["no line of a prediction log"] += 1
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    kept = {name: line[name] for name in _NEEDED} | {"time": when}
    kept["unseen"] = [str(name) for name in line.get("unseen") or []]
    if line.get("ids"):
        kept["ids"] = {name: str(value) for name, value in line["ids"].items()}
    return kept


def add_letter(letter: Mapping[str, Any], bad: Bad, told: Told) -> None:
    """Add what a dead letter says to `told`, or why it is left out to `bad`."""
    try:
        found = letters.refusal(letter)
    except _UNREADABLE:
        bad["no dead letter of an event"] += 1
        return
    if found is None:
        bad[letters.OTHERS] += 1
    else:
        told.refusals.append(found)


def _is_whole(line: Mapping[str, Any]) -> bool:
    """Tell whether a line of another kind has what it needs."""
    if line["kind"] == _FEEDBACK and not all(
        isinstance(line.get(name), kind) for name, kind in _OF_FEEDBACK.items()
    ):
        return False
    try:
        if line["kind"] == _FEEDBACK:
            _truths(pa.Table.from_pylist([line]))
        else:
            refusal_of(line)
    except _UNREADABLE:
        return False
    return True


def _truths(table: pa.Table) -> pa.Table:
    columns = table.select(list(_OF_FEEDBACK))
    if any(column.null_count for column in columns.columns):
        raise ValueError("a truth lacks something")
    return columns.set_column(3, "actual", columns.column("actual").cast(pa.float64()))


def _opened(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]  # reads bytes all the same
    return path.open("rb")
