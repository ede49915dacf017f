"""Reads the columns of a table as the service reads the fields of a record.

Each distinct value of a column goes once through the reader that the endpoint uses, so that a
spelling, a pattern or a limit means the same in training as in serving:

    column -> distinct values -> JSON value -> RecordReader -> value, or the reason for refusing it

A file's values become JSON values first: 74.0 is the whole number 74, a decimal is a number, and a
text in a column of numbers or of true and false is read as a cell of a CSV is.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from pydantic import create_model

from scoring.errors import InvalidRecords
from scoring.models import Model
from scoring.record import Record, RecordReader
from scoring.values.field_schemas import describe, field_schemas
from scoring.values.json_values import as_json
from training.data.columns import mismatch, plain
from training.errors import TrainingError

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False}
_USABLE, _MISSING, _TYPE, _WRONG, _BEYOND = range(5)


@dataclass(frozen=True)
class Column:
    """One field of all rows; the masks are n_rows long, and at most one is true for a row."""

    values: pd.Series[Any]  # usable where no mask is true
    missing: Mask
    wrong: Mask  # of another type, or none of the field's categories
    beyond: Mask  # a finite number outside of the field's limits


def read_column(column: pd.Series[Any], model: Model, name: str) -> Column:
    """Return the values of the field `name`.

    Raises TrainingError where every value of the column is of another type than the field.
    """
    field = model.record.model_fields[name]
    schema = field_schema(model, name)
    kind = schema.get("type", "")
    fields: dict[str, Any] = {name: (field.annotation, field)}
    reader = RecordReader(create_model(name, __base__=Record, **fields))
    try:
        codes, distinct = pd.factorize(column)  # a missing value has the code -1
    except TypeError:  # lists, as a Parquet file can hold them
        raise TrainingError(
            f"column {name} holds no single values in {len(column)} rows; {describe(schema)} "
            "is expected"
        ) from None
    read = [_read(value, kind, reader, name) for value in [*distinct.tolist(), None]]
    verdicts = np.array([verdict for verdict, _ in read])
    if len(distinct) and (verdicts[:-1] == _TYPE).all():
        raise mismatch(column, f"{describe(schema)} is")
    if verdicts[-1] != _USABLE:
        verdicts[-1] = _MISSING
    each = verdicts[codes]
    made = [value for _, value in read]
    return Column(
        _values(column, schema, made, codes, lacking=bool((each == _USABLE)[codes < 0].any())),
        missing=each == _MISSING,
        wrong=(each == _TYPE) | (each == _WRONG),
        beyond=each == _BEYOND,
    )


def field_schema(model: Model, name: str) -> Mapping[str, Any]:
    """Return the JSON schema of a field without references; of one that may be null, what it is
    otherwise, and the key `nullable`."""
    return field_schemas(model.record)[name]


def _read(value: Any, kind: str, reader: RecordReader, name: str) -> tuple[int, Any]:
    """Return the verdict on one value, and the value that a record would hold."""
    value = _as_json(plain(value), kind)
    try:
        return _USABLE, getattr(reader.one({name: value}), name)
    except InvalidRecords as error:
        reason = error.errors[0].reason
    if reason == "type":
        return _TYPE, None
    # math.isfinite raises for an integer of 400 digits
    if reason == "range" and isinstance(value, int | float) and abs(value) <= sys.float_info.max:
        return _BEYOND, value
    return _WRONG, None


def _as_json(value: Any, kind: str) -> Any:
    """Return the JSON value that a cell of a field of this type stands for."""
    if kind in ("integer", "number"):
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if isinstance(value, Decimal | float) and math.isfinite(value) and value == int(value):
            return int(value)
        return float(value) if isinstance(value, Decimal) else value
    if kind == "boolean" and isinstance(value, str):
        return _WORDS.get(value.strip().lower(), value)
    return as_json(value)  # a Parquet file's dates and times


def _values(
    column: pd.Series[Any],
    schema: Mapping[str, Any],
    values: list[Any],
    codes: Any,
    *,
    lacking: bool,
) -> pd.Series[Any]:
    """Return the values of all rows; where some are `lacking`, which the field allows, they are
    None as in a record, and the numbers beside them are Python's."""
    kind = schema.get("type", "")
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and not lacking and kind == "integer":
        return column
    if numeric and not lacking and kind == "number":
        return column.astype("float64")
    each = np.empty(len(values), dtype=object)
    each[:] = values
    # pandas would make NaN of None, and times of its own of Python's
    dtype = object if lacking or "format" in schema else None
    made = pd.Series(each[codes], index=column.index, name=column.name, dtype=dtype)
    return pd.to_numeric(made) if kind == "number" and not lacking else made
