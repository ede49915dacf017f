"""What may be trained on: the same limits as at the endpoint, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from scoring.models import Model
from scoring.record import describe, normalise
from training.datasets import Source, Table, short
from training.errors import TrainingError

MIN_ROWS = 50  # fewer say nothing about a model


@dataclass(frozen=True)
class Checked:
    """Usable rows, and how many were left out (or kept in spite of it) for which reason."""

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
    """Gives the rows that are valid records with a usable target; with `keep_out_of_range`, also
    those whose quantities are beyond the record's limits, as the published results had them.

    Raises TrainingError where a column holds another type than the field, where too few rows are
    left, or where a larger share than `max_dropped` was unusable.
    """
    frame = table.frame.copy(deep=False)
    usable = pd.Series(data=True, index=frame.index)
    dropped: dict[str, int] = {}
    kept: dict[str, int] = {}
    keepable = set()

    def leave_out(bad: pd.Series[bool], reason: str) -> None:
        nonlocal usable
        if count := int((bad & usable).sum()):
            dropped[reason] = count
            usable &= ~bad

    target = frame[model.target]
    leave_out(target.isna(), f"{model.target} is missing")
    if model.task == "classification":
        leave_out(~target.isin([0, 1]), f"{model.target} is not 0 or 1")
    if source.target_range:
        low, high = source.target_range
        reason = f"{model.target} is not from {low:g} to {high:g} {model.unit}"
        leave_out(~target.between(low, high), reason)
    for name, field in model.record.model_json_schema()["properties"].items():
        column = _typed(frame[name], name, field)
        if field["type"] != "integer":
            frame[name] = column
        leave_out(column.isna(), f"{name} is missing")
        wrong = ~_allowed(column, field)
        reason = f"{name} is not {describe(field)}"
        if field["type"] != "number":
            leave_out(wrong, reason)
        elif keep_out_of_range:
            if count := int((wrong & usable).sum()):
                kept[reason] = count
        else:
            keepable.add(reason)
            leave_out(wrong, reason)
    left = int(usable.sum())
    _enough(len(frame), left, dropped, table.name, max_dropped)
    fields = _as_fields(frame[usable], model).reset_index(drop=True)
    return Checked(fields, dropped, kept, frozenset(keepable))


def _typed(column: pd.Series[Any], name: str, field: dict[str, Any]) -> pd.Series[Any]:
    expected = describe(field)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if field["type"] in ("integer", "number"):
        if not numeric:
            raise TrainingError(
                f"column {name} holds {column.dtype} in {len(column)} rows; {expected} is expected"
            )
        return column.astype("float64")
    if numeric and column.notna().any():
        raise TrainingError(
            f"column {name} holds {column.dtype} in {len(column)} rows; {expected} is expected"
        )
    try:
        return column.map({word: normalise(word) for word in column.dropna().unique()})
    except TypeError:  # lists, as a parquet file can hold them
        raise TrainingError(
            f"column {name} holds no single values in {len(column)} rows; {expected} is expected"
        ) from None


def _allowed(column: pd.Series[Any], field: dict[str, Any]) -> pd.Series[bool]:
    if "enum" in field:
        return column.isin(field["enum"])
    allowed = pd.Series(data=True, index=column.index)
    if field["type"] == "integer":
        allowed &= column % 1 == 0
    if "minimum" in field:
        allowed &= column >= field["minimum"]
    if "maximum" in field:
        allowed &= column <= field["maximum"]
    if field["type"] == "number":
        allowed &= column.abs() != float("inf")
    return allowed


def _as_fields(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    schema = model.record.model_json_schema()["properties"]
    whole = [name for name, field in schema.items() if field["type"] == "integer"]
    return frame.assign(**{name: short(frame[name]) for name in whole})


def _enough(rows: int, left: int, dropped: dict[str, int], name: str, max_dropped: float) -> None:
    reasons = "; ".join(f"{count} rows: {reason}" for reason, count in dropped.items())
    if rows and 1 - left / rows > max_dropped:
        raise TrainingError(
            f"{name}: {rows - left} of {rows} rows are unusable, more than the share of "
            f"{max_dropped:g} that is expected at the most (--max-dropped): {reasons}"
        )
    if left < MIN_ROWS:
        raise TrainingError(
            f"{name}: {left} usable rows of {rows}; at least {MIN_ROWS} are expected"
            + (f" ({reasons})" if reasons else "")
        )
