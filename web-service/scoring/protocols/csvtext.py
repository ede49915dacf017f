"""CSV with a line of column names, as spreadsheets, pandas and SageMaker's batch jobs send it."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Final

from scoring.errors import NotCsv
from scoring.models import Model
from scoring.protocols.fields import Kind, kinds, schema
from scoring.protocols.mlflow import bounded, table

# What Python's own float() takes beside these (nan, inf, 1_000) is no number in a CSV.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BOOLEANS: Final = {"true": True, "false": False}


def values(body: bytes, model: Model, *, max_records: int) -> list[Any]:
    """Gives the records of a CSV text in UTF-8, not yet validated, in order: numbers where the
    record has numbers, nothing (None) for an empty cell. Raises NotCsv for what cannot be read,
    InvalidRecords where columns are missing or lines do not fit, TooLarge for too many."""
    try:
        text = body.decode("utf-8-sig")  # spreadsheets begin with a byte order mark
    except UnicodeDecodeError as error:
        raise NotCsv(f"the body is not UTF-8: byte {error.start} cannot be decoded") from None
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise NotCsv(f"the body is not CSV: {error}") from None
    if not lines:
        raise NotCsv("the body is empty; send a line of column names, then one line a record")
    names = [name.strip() for name in lines[0]]
    bounded(len(lines) - 1, max_records)
    kind = kinds(schema(model))
    found = table(names, lines[1:], model, "")
    return [
        {name: _value(text, kind[name]) for name, text in record.items() if name in kind}
        for record in found
    ]


def _value(text: str, kind: Kind) -> Any:
    """Gives the value that a cell holds; a text where it is of no such kind, which the reader then
    refuses by its name."""
    bare = text.strip()
    if not bare:
        return None
    if kind == "integer" and _INTEGER.fullmatch(bare):
        return int(bare)
    if kind == "number" and _NUMBER.fullmatch(bare):
        return float(bare)
    if kind == "boolean":
        return _BOOLEANS.get(bare.lower(), text)
    return text
