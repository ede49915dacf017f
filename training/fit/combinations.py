"""Make the features of a whole table with few calls of `model.features`.

The contract: `columns(frame, model)` is what `model.features` returns for every row, column by
column. There is no second, vectorised version of `features` to keep in step: the function itself is
called, with a record some of whose fields are `Untouched`. A field that `features` only passes on,
under whatever name, becomes the table's column. One that it looks into, to format, compare or add
it, raises; its values are then part of the combinations, and `features` is called once for each
distinct combination. A few rows are compared with one call a row; where they differ, every field
counts as looked into, which is slow and always right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scoring.models import Features, Model
from scoring.untouched import LookedInto, Untouched, field_of

Codes = np.ndarray[tuple[int], np.dtype[np.int32]]

ABSENT = object()  # a feature that some combinations do not have

_MANY = 2**31
_COMPARED = 8  # rows on which the result is held against one call a row


@dataclass(frozen=True)
class Column:
    """One feature of all rows.

    It is `values[code]` for each of `codes`, n_rows long; numbers that were passed on are `values`
    itself, n_rows long, without codes.
    """

    values: Any
    codes: Codes | None = None

    def at(self, row: int) -> Any:
        """Return the feature of one row."""
        return self.values[row if self.codes is None else self.codes[row]]


def columns(frame: pd.DataFrame, model: Model) -> dict[str, Column]:
    """Return the features of all rows by name; the rows must have been checked."""
    fields = list(model.record.model_fields)
    # `x is True` cannot be noticed, nor what is done with a value of any other type
    plain = {name for name in fields if _is_plain(frame[name])}
    looked = [name for name in fields if name not in plain]
    for part in (frame[:1], frame):  # one row shows nearly all that is looked into
        while len(looked) < len(fields):
            try:
                made = _made(part, model, looked)
            except LookedInto as found:
                looked = [name for name in fields if name in {*looked, found.field}]
                continue
            except Exception:  # noqa: BLE001  # whatever it was, real values will show
                looked = fields
                continue
            if part is not frame:
                break
            if _agree(made, frame, model):
                return made
            looked = fields
    return _made(frame, model, fields)


def by_row(frame: pd.DataFrame, model: Model) -> list[Features]:
    """Return one mapping a row, in order: what `model.features` returns of each."""
    made = columns(frame, model)
    lists = (
        np.asarray(column.values).tolist()
        if column.codes is None
        else [column.values[code] for code in column.codes.tolist()]
        for column in made.values()
    )
    each = zip(*lists, strict=True)
    rows: list[Features] = [dict(zip(made, values, strict=True)) for values in each]
    if any(ABSENT in column.values for column in made.values() if column.codes is not None):
        return [{name: v for name, v in row.items() if v is not ABSENT} for row in rows]
    return rows


def _is_plain(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_bool_dtype(column) or column.hasnans:  # nor is `x is None`
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    return pd.api.types.infer_dtype(column, skipna=False) == "string"


def _made(frame: pd.DataFrame, model: Model, looked: Sequence[str]) -> dict[str, Column]:
    codes, rows = _distinct(frame, looked)
    distinct = frame[list(looked)].iloc[rows]
    names: list[str] = []
    values: list[Any] = []
    for features in _called(distinct, model, looked):
        names.extend(features)
        values.extend(features.values())
    first = list(dict.fromkeys(names))
    if names == first * len(rows):  # usual: each has the same names in the same order
        found = {name: values[place :: len(first)] for place, name in enumerate(first)}
    else:
        each = [dict(features) for features in _called(distinct, model, looked)]
        found = {name: [features.get(name, ABSENT) for features in each] for name in first}
    return {name: _column(frame, values, codes) for name, values in found.items()}


def _called(
    frame: pd.DataFrame, model: Model, looked: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    """Yield the features of each row, to be read before the next one.

    Fields that are not among `looked` are untouched.
    """
    others = {n: Untouched(n) for n in model.record.model_fields if n not in looked}
    make, record = model.features, model.record.model_construct()
    state = record.__dict__  # one record for all: making one takes longer than its features
    state.clear()
    size = len(others) + len(looked)
    rows = zip(*(frame[name].tolist() for name in looked), strict=True) if looked else [()]
    for values in rows:
        if len(state) != size:  # at first, and after a cached property
            state.clear()
            state.update(others)
        state.update(zip(looked, values))  # noqa: B905  # to compare their lengths takes as long
        yield make(record)


def _column(frame: pd.DataFrame, values: list[Any], codes: Codes) -> Column:
    kinds = set(map(type, values))
    if Untouched not in kinds:
        return Column(values, codes)
    field, *others = {field_of(value) for value in values if type(value) is Untouched}
    if others or len(kinds) > 1:
        raise LookedInto(field)  # now this field, now another value
    column = frame[field]
    if pd.api.types.is_numeric_dtype(column):
        return Column(column.to_numpy())
    found, texts = pd.factorize(column)
    return Column(texts.tolist(), found.astype(np.int32))


def _distinct(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Codes, Codes]:
    """Return the number of each row's combination, in order of appearance.

    The second array has the first row of each combination.
    """
    codes = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        more, values = pd.factorize(frame[name], use_na_sentinel=False)  # None is a value
        codes = codes * len(values) + more
        if codes.max(initial=0) > _MANY:  # the product of many fields' numbers would not fit
            codes, _ = pd.factorize(codes)
    codes, _ = pd.factorize(codes)
    short = codes.astype(np.int32)
    first = np.empty(int(short.max(initial=0)) + 1, dtype=np.int32)
    first[short[::-1]] = np.arange(len(short) - 1, -1, -1, dtype=np.int32)
    return short, first


def _agree(made: dict[str, Column], frame: pd.DataFrame, model: Model) -> bool:
    """Return whether a few rows, from first to last, have the features that a call for each has."""
    rows = np.unique(np.linspace(0, len(frame) - 1, _COMPARED).astype(int)).tolist()
    for row in rows:
        values = {
            name: frame[name].iloc[row : row + 1].tolist()[0] for name in model.record.model_fields
        }
        expected = dict(model.features(model.record.model_construct(**values)))
        found = {name: column.at(row) for name, column in made.items()}
        if {name: v for name, v in found.items() if v is not ABSENT} != expected:
            return False
    return True
