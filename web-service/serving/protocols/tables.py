"""Rows and columns as records: what the translations have to know of a model's fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from scoring.errors import FieldError, InvalidRecords
from scoring.limits import Limits
from scoring.models import Model
from scoring.record import probably_meant
from scoring.values.field_schemas import describe
from serving.fields import Field, fields


def missing(sent: Collection[str], expected: Mapping[str, Field], what: str) -> list[FieldError]:
    """Return an error for each field that must be there and is not among the names `sent`.

    One a column (`what` they are called), not one a row.
    """
    meant = probably_meant(dict.fromkeys(sent), expected)
    errors = []
    for name, field in expected.items():
        if name not in sent and field.required:
            problem = f"missing; expected a {what} of this name"
            if field.kind != "json":
                problem += f": {describe(field.schema)}"
            if name in meant:
                problem += f"; got the {what} '{meant[name]}': was '{name}' meant?"
            errors.append(FieldError(name, problem))
    return errors


def records(
    names: Sequence[str], rows: Sequence[Sequence[Any]], model: Model, place: str, limits: Limits
) -> list[dict[str, Any]]:
    """Return rows as records under the names of their columns.

    Raises InvalidRecords for columns that are missing or there twice, and for rows that do not fit
    them; `place` names the rows.
    """
    errors = [
        FieldError(name, "the column is there more than once")
        for name in fields(model)
        if names.count(name) > 1
    ]
    errors += missing(set(names), fields(model), "column")
    if errors:
        raise InvalidRecords("the columns are not those of a record", tuple(errors))
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            problem = f"expected {len(names)} values, one for each column"
            problem += f", got {len(row)}" if isinstance(row, list) else ""
            errors.append(FieldError(f"{place}[{number}]", problem))
        if len(errors) == limits.max_errors:
            break
    if errors:
        raise InvalidRecords("some rows do not fit the columns", tuple(errors))
    return [dict(zip(names, row, strict=True)) for row in rows]
