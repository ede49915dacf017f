"""Checks and conversions of whole columns, shared by the sources and the table reader."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scoring.record import probably_meant
from training.errors import TrainingError


def require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise TrainingError naming every one of `columns` that `frame` lacks or has twice.

    Next to a missing column stands the one that was probably meant to be it.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        meant = probably_meant(dict.fromkeys(map(str, frame.columns)), columns)
        named = [
            f"{name} (there is '{meant[name]}': was '{name}' meant?)" if name in meant else name
            for name in missing
        ]
        raise TrainingError(
            f"{len(missing)} of {len(columns)} columns are missing: {', '.join(named)}; "
            f"there are: {', '.join(map(str, frame.columns)) or 'none'}"
        )
    if twice := sorted({*frame.columns[frame.columns.duplicated()]} & {*columns}):
        raise TrainingError(f"{len(twice)} columns are there more than once: {', '.join(twice)}")


def times(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of times, which in a CSV are texts, as timestamps.

    What is no time becomes a missing value. Raises TrainingError where the column holds no time.
    """
    if pd.api.types.is_datetime64_any_dtype(column) or not column.notna().any():
        return pd.to_datetime(column)
    if not pd.api.types.is_numeric_dtype(column):
        read = _times_of(column)
        if (read.isna() & column.notna()).any():
            # 31.01.2021 cannot begin with a month
            day_first = _times_of(column, dayfirst=True)
            read = day_first if day_first.notna().sum() > read.notna().sum() else read
        if read.notna().any():
            return read
    raise mismatch(column, "times such as 2021-01-31 15:04:05 are")


def _times_of(column: pd.Series[Any], *, dayfirst: bool = False) -> pd.Series[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that dateutil reads an unusual format
        try:
            return pd.to_datetime(column, errors="coerce", dayfirst=dayfirst)
        except ValueError:  # offsets from UTC that change within the column
            return pd.to_datetime(column, errors="coerce", dayfirst=dayfirst, utc=True)


def minutes_between(begin: pd.Series[Any], end: pd.Series[Any]) -> pd.Series[Any]:
    """Return the minutes from one column of times to another.

    Raises TrainingError where only one of them says from which time zone it is.
    """
    if (begin.dt.tz is None) != (end.dt.tz is None):
        known, plain = (begin, end) if end.dt.tz is None else (end, begin)
        raise TrainingError(
            f"column {known.name} has times of the zone {known.dt.tz}, column {plain.name} has "
            "times without a zone: have both with one, or both without"
        )
    return (end - begin).dt.total_seconds() / 60


def numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of numbers; true and false are 1 and 0.

    What is no number becomes a missing value. Raises TrainingError where the column holds none.
    """
    if pd.api.types.is_bool_dtype(column):
        return column.astype("int64")
    if pd.api.types.is_numeric_dtype(column):
        return column
    read = pd.to_numeric(column.astype("object"), errors="coerce")
    if column.notna().any() and not read.notna().any():
        raise mismatch(column, "numbers are")
    return read


def mismatch(column: pd.Series[Any], expected: str) -> TrainingError:
    """Return the error for a column none of whose values are what was `expected`."""
    some = plain(column.dropna().iloc[0])
    return TrainingError(
        f"column {column.name} holds {column.dtype} in {len(column)} rows, {some!r} for one; "
        f"{expected} expected"
    )


def plain(value: Any) -> Any:
    """Return the Python value of one of NumPy's, and any other value unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def short(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of whole numbers in the shortest integer type that holds all of them.

    The types are int16, int32 and int64; any other column is returned unchanged.
    """
    numbers = column.to_numpy()
    for kind in (np.int16, np.int32, np.int64):
        limits = np.iinfo(kind)
        # neither NaN nor infinity; the largest int64 is no float64, the next one is too large
        within = (numbers >= limits.min) & (numbers < limits.max)
        if within.all() and (numbers == numbers.astype(kind)).all():
            return column.astype(kind)
    return column
