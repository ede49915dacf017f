"""Rows that are not valid, without asking the record about each of them.

Fields do not depend on each other where rules are derived from them, so that what is wrong with a
row depends on the values of which no rule is sure, and on nothing else. Each combination of these
is asked about once: ten thousand rows without a distance are one question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from batch.columns.fields import Array, Mask
from scoring.errors import FieldError, InvalidRecords
from scoring.record import RecordReader

_MAX_KNOWN: Final = 100_000  # combinations that are remembered

# Return the JSON value of a row that no rule is sure of.
RowReader = Callable[[int], Any]
_Key = tuple[tuple[str, str], ...]


class Rejected(NamedTuple):
    """A row that is not a valid record: its place in the batch and every bad field."""

    row: int
    errors: Sequence[FieldError]


class Refusals:
    """What one record says of rows; safe to use from several threads."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader
        self._known: dict[_Key, Sequence[FieldError]] = {}  # no errors: it is valid

    def of(
        self,
        places: Array,
        doubts: Mapping[str, Mask],
        columns: Mapping[str, pa.Array],
        read_row: RowReader,
        *,
        whole: bool,
    ) -> tuple[list[Rejected], Array]:
        """Return those of the rows at `places` that are not valid, and the places of the others.
        `doubts` tell by field of which rows its rule is not sure. `whole`: what `read_row` gives
        is what `columns` hold."""
        rejected, others = [], []
        keys = (
            _by_column(places, doubts, columns) if whole
            else (_by_row(place, doubts, read_row) for place in places.tolist())
        )  # fmt: skip
        for place, key in zip(places.tolist(), keys, strict=True):
            errors = self._asked(key, place, read_row) if key else ()
            if errors:
                rejected.append(Rejected(place, errors))
            else:
                others.append(place)
        return rejected, np.array(others, dtype=np.int64)

    def _asked(self, key: _Key, place: int, read_row: RowReader) -> Sequence[FieldError]:
        errors = self._known.get(key)
        if errors is None:
            try:
                self._reader.one(read_row(place))
                errors = ()
            except InvalidRecords as error:
                errors = error.errors
            if len(self._known) < _MAX_KNOWN:
                self._known[key] = errors
        return errors


# 1, 1.0 and True are equal, and different values to a record: as texts they are different


def _by_column(
    places: Array, doubts: Mapping[str, Mask], columns: Mapping[str, pa.Array]
) -> list[_Key]:
    keys: list[_Key] = [()] * len(places)
    for name, doubt in doubts.items():
        at = np.flatnonzero(doubt[places])
        values = columns[name].take(pa.array(places[at])).to_pylist()
        for row, value in zip(at.tolist(), values, strict=True):
            keys[row] += ((name, repr(value)),)
    return keys


def _by_row(place: int, doubts: Mapping[str, Mask], read_row: RowReader) -> _Key:
    """Return the key of a row; an empty one of a row that lacks a field, as other keys that it has
    decide what is said of it."""
    value = read_row(place)
    if not isinstance(value, dict) or any(name not in value for name in doubts):
        return ()
    return tuple((name, repr(value[name])) for name, doubt in doubts.items() if doubt[place])
