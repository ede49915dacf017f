"""Leaves out the rows that are no valid record, by the rules of the endpoint, and counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scoring.errors import InvalidRecords
from scoring.models import Model
from scoring.record import RecordReader
from scoring.values.field_schemas import describe
from scoring.values.shares import class_text
from training.data.columns import numbers, short
from training.data.tables import Table
from training.data.values import Mask, field_schema, read_column
from training.errors import Refused, TrainingError
from training.sources import Source

MIN_ROWS = 50  # fewer say nothing about a model


@dataclass(frozen=True)
class Checked:
    """Usable rows, and how many were left out, or kept nevertheless, for which reason."""

    frame: pd.DataFrame
    dropped: dict[str, int]
    kept: dict[str, int]
    keepable: frozenset[str]  # the reasons that `keep_out_of_range` would have overruled


def check(
    table: Table,
    model: Model,
    source: Source,
    *,
    max_dropped: float = 0.2,
    keep_out_of_range: bool = False,
) -> Checked:
    """Return the rows that are valid records with a usable target.

    `keep_out_of_range` also keeps those whose quantities are beyond the record's limits, as the
    published results did.

    Raises TrainingError where a column holds another type than the field, or too few rows are
    left, and Refused where a larger share than `max_dropped` is unusable.
    """
    frame = table.frame.copy(deep=False)
    usable: Mask = np.ones(len(frame), dtype=bool)
    dropped: dict[str, int] = {}
    kept: dict[str, int] = {}
    keepable = set()

    def leave_out(bad: Any, reason: str) -> None:
        nonlocal usable
        if count := int((bad & usable).sum()):
            dropped[reason] = count
            usable &= ~bad

    frame[model.target] = target = _target(frame[model.target], model)
    leave_out(target.isna().to_numpy(), f"{model.target} is missing")
    if model.task == "classification":
        what = "one of the model's classes" if model.classes else "0 or 1"
        known: list[Any] = [*model.classes] or [0, 1]
        leave_out(~target.isin(known).to_numpy(), f"{model.target} is not {what}")
    if source.target_range:
        low, high = source.target_range
        reason = f"{model.target} is not from {low:g} to {high:g} {model.unit}"
        leave_out(~target.between(low, high).to_numpy(), reason)
    for name in model.record.model_fields:
        column = read_column(frame[name], model, name)
        field = field_schema(model, name)
        reason = f"{name} is not {describe(field)}"
        frame[name] = column.values
        leave_out(column.missing, f"{name} is missing")
        if keep_out_of_range and field.get("type") == "number":
            leave_out(column.wrong, reason)
            if count := int((column.beyond & usable).sum()):
                kept[reason] = count
        else:
            if field.get("type") == "number":
                keepable.add(reason)
            leave_out(column.wrong | column.beyond, reason)
    if not keep_out_of_range:
        leave_out(_refused(frame, usable, model), "the record as a whole is not valid")
    _enough(len(frame), int(usable.sum()), dropped, table.name, max_dropped)
    _both(frame[model.target][usable], model, table.name)
    fields = _as_fields(frame[usable], model).reset_index(drop=True)
    return Checked(fields, dropped, kept, frozenset(keepable))


def _target(column: pd.Series[Any], model: Model) -> pd.Series[Any]:
    """Return the target as numbers; of several classes as their texts, without blanks around."""
    if not model.classes:
        return numbers(column)
    return column.astype("object").map(lambda v: class_text(v).strip(), na_action="ignore")


def _refused(frame: pd.DataFrame, usable: Mask, model: Model) -> Mask:
    """Return which of the usable rows the record's own validators refuse, if it has any."""
    refused = np.zeros(len(frame), dtype=bool)
    decorators = model.record.__pydantic_decorators__
    if not (decorators.field_validators or decorators.model_validators):
        return refused
    reader = RecordReader(model.record)
    rows = frame[usable][list(model.record.model_fields)].to_dict("records")
    for place, row in zip(np.flatnonzero(usable), rows, strict=True):
        try:
            reader.one(row)
        except InvalidRecords:
            refused[place] = True
    return refused


def _as_fields(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Return the columns in the shortest types that hold their values."""
    columns = {}
    for name in model.record.model_fields:
        schema, column = field_schema(model, name), frame[name]
        if "format" not in schema and not column.isna().any():  # else they are as in a record
            column = column.infer_objects()
        whole = schema.get("type") == "integer" and not column.isna().any()
        columns[name] = short(column) if whole else column
    return frame.assign(**columns)


def _both(target: pd.Series[Any], model: Model, name: str) -> None:
    """Raise TrainingError where a classification has one class to learn from."""
    if model.task == "classification" and target.nunique() == 1:
        raise TrainingError(
            f"{name}: {target.name} is {target.iloc[0]:g} in all of the {len(target)} usable rows; "
            "rows of both outcomes are needed"
        )


def _enough(rows: int, left: int, dropped: dict[str, int], name: str, max_dropped: float) -> None:
    reasons = "; ".join(f"{count} rows: {reason}" for reason, count in dropped.items())
    if rows and 1 - left / rows > max_dropped:
        raise Refused(
            f"{name}: {rows - left} of {rows} rows are unusable, more than the share of "
            f"{max_dropped:g} that is expected at the most (--max-dropped): {reasons}"
        )
    if left < MIN_ROWS:
        raise TrainingError(
            f"{name}: {left} usable rows of {rows}; at least {MIN_ROWS} are expected"
            + (f" ({reasons})" if reasons else "")
        )
