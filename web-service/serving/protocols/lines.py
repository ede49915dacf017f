"""Bodies of lines: CSV and JSON lines.

CSV is read as spreadsheets, pandas and SageMaker's batch transform write it; a first line `sep=;`
tells its separator.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final, NamedTuple

from scoring.cells import NUMBERS, excels_separator, value
from scoring.errors import FieldError, InvalidRecords, NotCsv, NotJson
from scoring.limits import Limits
from scoring.models import Model
from scoring.record import probably_meant
from scoring.values.strict_json import decode
from serving.fields import fields
from serving.protocols.tables import records

_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


class CsvTable(NamedTuple):
    """A CSV's columns by name, its cells as texts, and its rows as records, not yet validated."""

    names: list[str]
    lines: list[list[str]]
    records: list[dict[str, Any]]


def csv_records(
    body: bytes, model: Model, *, limits: Limits, header: bool | None = None
) -> list[Any]:
    """Return the records of `csv_table`."""
    return list(csv_table(body, model, limits=limits, header=header).records)


def csv_table(body: bytes, model: Model, *, limits: Limits, header: bool | None = None) -> CsvTable:
    """Return what a CSV text in UTF-8 holds, in order.

    In the records numbers where the record has numbers, None for an empty cell. `header` says
    whether the first line holds column names; None: its cells tell. Without such a line, the
    columns are the record's fields in order.

    Raises NotCsv for what cannot be read, InvalidRecords where columns are missing or lines do not
    fit, TooLarge for too many.
    """
    try:
        text = body.decode("utf-8-sig")  # spreadsheets begin with a byte order mark
    except UnicodeDecodeError as error:
        raise NotCsv(
            f"the body is not UTF-8: byte {error.start} cannot be decoded; save the CSV as UTF-8"
        ) from None
    if separator := excels_separator(text):
        text = text.partition("\n")[2]
    try:
        cells = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator or ",")
        lines = [line for line in cells if line]
    except csv.Error as error:
        raise NotCsv(f"the body is not CSV: {error}") from None
    if not lines:
        raise NotCsv("the body is empty; send a line of column names, then one line a record")
    expected = fields(model)
    names = [name.strip() for name in lines[0]]
    if len(names) == 1 < len(expected) and not separator:
        for separator, called in _OTHER_SEPARATORS.items():
            if separator in names[0]:
                raise NotCsv(f"the first line is separated by {called}; separate by commas")
    if header is None and len(names) != len(expected) and _holds_values(names, model):
        several = ", ".join(expected)
        problem = f"expected {len(expected)} values ({several}), got {len(names)}"
        raise InvalidRecords(
            "the first line holds no column name, and another number of values than a record",
            (FieldError("[0]", problem),),
        )
    if _is_header(names, model) if header is None else header:
        lines = lines[1:]
    else:
        names = list(expected)
    limits.check_records(len(lines))
    found = [
        {
            name: value(text, expected[name].kind)
            for name, text in record.items()
            if name in expected
        }
        for record in records(names, lines, model, "", limits)
    ]
    return CsvTable(names, lines, found)


def json_lines(body: bytes, *, limits: Limits) -> list[Any]:
    """Return the JSON value of each line that is not blank, in order.

    Raises NotJson with the line's number, TooLarge for too many lines.
    """
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    limits.check_records(len(lines))
    values = []
    for number, line in lines:
        try:
            values.append(decode(line.strip()))
        except NotJson as error:
            raise NotJson(f"line {number} of the body: {error.detail}") from None
    return values


def _holds_values(names: list[str], model: Model) -> bool:
    """Say whether a line has a number in it, and neither a field's name nor nearly one."""
    known = any(name in fields(model) for name in names)
    numbers = [name for name in names if value(name, "number") != name and name]
    return bool(numbers) and not (known or probably_meant(dict.fromkeys(names), fields(model)))


def _is_header(names: list[str], model: Model) -> bool:
    """Say whether the first line holds column names.

    A field's name, another number of cells than a record has fields, or nearly a name and a text
    where the record has a number.
    """
    expected = fields(model)
    if any(name in expected for name in names) or len(names) != len(expected):
        return True
    cells = zip(names, expected.values(), strict=True)
    fits = all(
        field.kind not in NUMBERS or value(text, field.kind) != text for text, field in cells
    )
    return not fits and bool(probably_meant(dict.fromkeys(names), expected))
