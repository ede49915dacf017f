"""Rows that a model's `features` cannot tell apart have one number: that of a combination of the
values that it looks into.

A number that may be null and is only handed on takes part with whether it is null.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from batch.columns.fields import Array, Coded, Field, Number, Values

_DENSE: Final = 1 << 22  # combinations that a table has a place for
_MAX_COMBINATIONS: Final = 1_000_000  # that are remembered; rows of others are scored one by one


class _Axis(NamedTuple):
    """What a combination consists of: a field's values, or whether it is null."""

    field: str
    absent: bool


class Combinations:
    """Number the combinations of one model's fields, in the order in which they are met."""

    def __init__(
        self,
        fields: Mapping[str, Field],
        looked: Collection[str],
        untouched: Mapping[str, Any],
        learn: Callable[[Sequence[tuple[Any, ...]]], None],
    ) -> None:
        """`looked` are the fields that are looked into. `learn` is called with those that are new,
        each a tuple of values of `self.fields`, `untouched` ones among them."""
        self._fields = fields
        self._untouched = untouched
        self._learn = learn
        self._axes = [
            _Axis(name, absent)
            for name, field in fields.items()
            for absent in (True, False)
            if (nullable(field) if absent else name in looked)
        ]
        self.fields = list(dict.fromkeys(axis.field for axis in self._axes))
        self._lock = threading.Lock()
        self._known: dict[tuple[Any, ...], int] = {}
        self._sizes = [2 if axis.absent else _size(fields[axis.field]) for axis in self._axes]
        self._table: Array | None = None
        if 0 < int(np.prod(self._sizes, dtype=object)) <= _DENSE:
            self._table = np.full(int(np.prod(self._sizes)), -1, dtype=np.int32)

    def of(self, values: Mapping[str, Values], rows: int) -> Array:
        """Return the number of each row's combination; -1 where it gets none."""
        columns = [_column(values[axis.field], axis) for axis in self._axes]
        if not columns:
            return np.full(rows, self._numbered([()])[0], dtype=np.int32)
        if self._table is not None:
            codes = self._dense(columns)
            found = self._table[codes]
            if found.min(initial=0) < 0:
                new = np.unique(codes[found < 0])
                self._table[new] = self._numbered(self._places(new))
                found = self._table[codes]
            return found
        codes, distinct = _distinct(columns)
        rows_of = zip(*(column[distinct].tolist() for column in columns), strict=True)
        found = np.array(self._numbered(list(rows_of)), dtype=np.int32)[codes]
        for column in columns:
            if column.dtype == np.float64:  # -0.0 is the same key as 0.0, and another text
                found[(column == 0) & np.signbit(column)] = -1
        return found

    def _dense(self, columns: Sequence[Array]) -> Array:
        """Return each row's place in the table. What int32 cannot hold wraps around, and back
        again at the end: the places are below _DENSE."""
        offset = 0
        codes: Array = np.zeros(len(columns[0]), dtype=np.int32)
        for axis, size, column in zip(self._axes, self._sizes, columns, strict=True):
            codes *= np.int32(size)
            codes += column.astype(np.int32)
            offset = offset * size + self._low(axis)
        codes -= np.array(offset).astype(np.int32)
        return codes

    def _low(self, axis: _Axis) -> int:
        """Return the least number of an axis that has a size."""
        return 0 if axis.absent else int(self._fields[axis.field].low)  # type: ignore[attr-defined]  # a Number

    def _places(self, codes: Array) -> list[tuple[Any, ...]]:
        """Return the fields' values of places in the table."""
        columns: list[list[Any]] = []
        for axis, size in zip(reversed(self._axes), reversed(self._sizes), strict=True):
            codes, rest = np.divmod(codes, size)
            columns.append((rest + self._low(axis)).tolist())
        return list(zip(*reversed(columns), strict=True))

    def _decoded(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the values of the fields of the axes, each once, as the record has them."""
        columns: dict[str, Sequence[Any]] = {}
        for axis, column in zip(self._axes, zip(*rows, strict=True), strict=True):
            field = self._fields[axis.field]
            if axis.absent:
                as_it_is = self._untouched[axis.field]
                columns[axis.field] = [None if absent else as_it_is for absent in column]
            elif axis.field in columns:
                nulls = columns[axis.field]
                columns[axis.field] = [
                    value if null is not None else None
                    for value, null in zip(column, nulls, strict=True)
                ]
            else:
                columns[axis.field] = (
                    [field.choices[c] for c in column] if isinstance(field, Coded) else column
                )
        return list(zip(*columns.values(), strict=True)) if columns else [()] * len(rows)

    def _numbered(self, rows: Sequence[tuple[Any, ...]]) -> list[int]:
        """Return the numbers of distinct combinations, asking the model for the features of those
        that are new."""
        with self._lock:
            new = [row for row in rows if row not in self._known]
            new = new[: max(0, _MAX_COMBINATIONS - len(self._known))]
            if new:
                self._learn(self._decoded(new))
                self._known.update(zip(new, itertools.count(len(self._known))))
            return [self._known.get(row, -1) for row in rows]


def nullable(field: Field) -> bool:
    """Tell whether a field is a number or null."""
    return isinstance(field, Number) and field.nullable


def _column(values: Values, axis: _Axis) -> Array:
    """Return an axis's column of n rows."""
    if not axis.absent:
        return values.direct
    none: Array = np.zeros(len(values.values), dtype=np.int8)
    return none if values.absent is None else values.absent.astype(np.int8)


def _size(field: Field) -> int:
    """Return how many codes a field can have; 0 where nobody knows."""
    return field.size if isinstance(field, Number) else 0


def _distinct(columns: Sequence[Array]) -> tuple[Array, Array]:
    """Return the number of each row's combination among those of these rows, and a row of each."""
    codes: Array = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        encoded = pa.array(column).dictionary_encode()
        more = encoded.indices.to_numpy(zero_copy_only=False)
        codes = codes * max(1, len(encoded.dictionary)) + more
        codes = pa.array(codes).dictionary_encode().indices.to_numpy(zero_copy_only=False)
        codes = codes.astype(np.int64)
    _, first, places = np.unique(codes, return_index=True, return_inverse=True)
    return places, first
