"""One field of a record, read from an Arrow column.

A rule says of each row whether its value is valid *for sure*; a row that some rule is not sure of
is given to the record's own function. Numbers have a range, which is taken from the field's
constraints. Any other field is asked for each distinct value once: the record itself says whether
it takes the value, and which spelling it makes of it.
"""

from __future__ import annotations

import decimal
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple, Protocol

import annotated_types
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic.fields import FieldInfo

from scoring.errors import InvalidRecords
from scoring.models import Model
from scoring.record import RecordReader
from scoring.values.field_parts import Parts, parts_of

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

MAX_CODES: Final = 1 << 20  # of a whole number's range that codes stand for
_RANGES: Final = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt)
_EXACT: Final = 2.0**53  # whole numbers up to it are exact as float64
_MAX_KNOWN: Final = 1_000_000  # distinct values of a field that get a code; others go row by row


class Values(NamedTuple):
    """A field of n rows: (n,) float64 or int64 numbers, or (n,) int32 codes into `Field.choices`;
    with `through`, places in it, where the codes stand. Where `sure` is False (None: nowhere), the
    value means nothing; where `absent` is True (None: nowhere), a number is null, and the value is
    another valid one."""

    values: Array
    sure: Mask | None
    through: Array | None = None
    absent: Mask | None = None

    @property
    def direct(self) -> Array:
        """The (n,) numbers or codes."""
        return self.values if self.through is None else self.through[self.values]

    def at(self, places: Array) -> Values:
        """Return the values of some rows, all of which are sure."""
        absent = None if self.absent is None else self.absent[places]
        return Values(self.values[places], None, self.through, absent)


class Field(Protocol):
    """How one field is read."""

    name: str
    coded: bool  # whether `read` gives codes

    def read(self, column: pa.Array) -> Values:
        """Return the field's values of n rows."""

    def constant(self, value: Any, rows: int) -> Values:
        """Return a valid value `rows` times."""


class Number:
    """A number within a range, as float64 or, for whole numbers, int64; or null, if that is
    valid."""

    coded = False

    def __init__(self, name: str, parts: Parts, *, fractions: bool) -> None:
        """`fractions`: whether a whole-number field takes 74.0."""
        self.name = name
        self.whole = parts.kind is int
        self.nullable = parts.nullable
        self._fractions = fractions
        self.low, self.high = -np.inf, np.inf
        self._above, self._below = -np.inf, np.inf  # the limits themselves are not within
        for part in parts.said:
            if isinstance(part, annotated_types.Ge):
                self.low = max(self.low, _number(part.ge))
            elif isinstance(part, annotated_types.Le):
                self.high = min(self.high, _number(part.le))
            elif isinstance(part, annotated_types.Gt):
                self._above = max(self._above, _number(part.gt))
            elif isinstance(part, annotated_types.Lt):
                self._below = min(self._below, _number(part.lt))

    @property
    def size(self) -> int:
        """The number of values that a whole number can have; 0 where that is too many."""
        if not self.whole or not np.isfinite(self.low) or not np.isfinite(self.high):
            return 0
        size = int(self.high) - int(self.low) + 1
        return size if 0 < size <= MAX_CODES else 0

    def read(self, column: pa.Array) -> Values:
        """Return numbers; sure are those of a number's type within the range."""
        if not (self.nullable and column.null_count):
            return self._read(column)
        rows = len(column)
        absent = pc.is_null(column).to_numpy(zero_copy_only=False)
        made = self.constant(None, rows)
        if absent.all():
            return made
        there = np.flatnonzero(~absent)
        found = self._read(column.take(pa.array(there)))
        made.values[there] = found.values
        if found.sure is None:
            return made._replace(absent=absent)
        sure = absent.copy()
        sure[there] = found.sure
        return Values(made.values, sure, None, absent)

    @property
    def some(self) -> float:
        """A number that stands where there is none."""
        return next((end for end in (self.low, self.high) if np.isfinite(end)), 0)

    def _read(self, column: pa.Array) -> Values:
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            return _unsure(len(column))
        if pa.types.is_floating(kind) and self.whole and not self._fractions:
            return _unsure(len(column))
        sure: Mask | None = None
        if column.null_count:
            sure = pc.is_valid(column).to_numpy(zero_copy_only=False)
            column = column.fill_null(0)
        values = column.to_numpy(zero_copy_only=False)
        if pa.types.is_floating(kind):
            values = values.astype(np.float64, copy=False)
        if sure is None and self._all_inside(values):
            return Values(values.astype(np.int64 if self.whole else np.float64, copy=False), None)
        inside = self._inside(values)
        if pa.types.is_floating(kind) and not np.isfinite(self.high - self.low):
            inside &= np.isfinite(values)
        if self.whole:
            inside &= np.abs(values) < _EXACT
            if pa.types.is_floating(kind):
                inside &= values == np.floor(values)
                values = np.where(inside, values, 0)
            values = values.astype(np.int64, copy=False)
        else:
            values = values.astype(np.float64, copy=False)
        if sure is not None:
            inside &= sure
        return Values(values, None if inside.all() else inside)

    def _all_inside(self, values: Array) -> bool:
        """Tell from the smallest and the largest whether all are valid, as nearly always; False
        where that does not say it."""
        if not len(values) or (self.whole and values.dtype.kind == "f"):
            return False
        least, most = values.min(), values.max()  # NaN where one is
        bound = _EXACT if self.whole else np.inf
        inside = least >= self.low and most <= self.high
        inside = inside and (least > self._above or np.isinf(self._above))
        inside = inside and (most < self._below or np.isinf(self._below))
        return bool(inside and least > -bound and most < bound)

    def _inside(self, values: Array) -> Mask:
        inside: Mask = (values >= self.low) & (values <= self.high)  # False for NaN
        if np.isfinite(self._above):
            inside &= values > self._above
        if np.isfinite(self._below):
            inside &= values < self._below
        return inside

    def constant(self, value: Any, rows: int) -> Values:
        """Return `value` `rows` times."""
        kind = np.int64 if self.whole else np.float64
        if value is None:
            return Values(np.full(rows, self.some, kind), None, None, np.full(rows, True))
        return Values(np.full(rows, value, kind), None)


class Coded:
    """Any other field: each distinct value is asked of the record once."""

    coded = True

    def __init__(self, name: str, ask: Callable[[Any], Any]) -> None:
        """`ask(value)` returns the value that the record makes of it, or raises InvalidRecords."""
        self.name = name
        self._ask = ask
        self._codes: dict[Any, int] = {}  # of values as they come; -1: not valid
        self._places: dict[Any, int] = {}  # of values as the record has them
        self.choices: list[Any] = []  # the record's values by code
        self._lock = threading.Lock()

    def read(self, column: pa.Array) -> Values:
        """Return codes; sure are the values that the record takes."""
        if not pa.types.is_dictionary(column.type):
            try:
                column = column.dictionary_encode()
            except pa.ArrowNotImplementedError:  # lists, structs and the like
                return _unsure(len(column))
        found = [plain(value) for value in column.dictionary.to_pylist()]
        codes = np.array([self._code(value) for value in found] or [-1], dtype=np.int32)
        indices = column.indices
        if indices.null_count:
            absent = pc.is_null(indices).to_numpy(zero_copy_only=False)
            places = indices.fill_null(0).to_numpy(zero_copy_only=False)
            values = np.where(absent, self._code(None), codes[places]).astype(np.int32)
        else:
            places = indices.to_numpy(zero_copy_only=False)
            if codes.min() >= 0:
                return Values(places, None, codes)
            values = codes[places]
        sure = values >= 0
        return Values(values, None if sure.all() else sure)

    def constant(self, value: Any, rows: int) -> Values:
        """Return the code of `value` `rows` times."""
        return Values(np.full(rows, self._place(value), dtype=np.int32), None)

    def _code(self, value: Any) -> int:
        # 1, 1.0 and True are the same key of a dictionary, and different values to a record
        key = (type(value), value)
        found = self._codes.get(key)
        if found is None and len(self._codes) < _MAX_KNOWN:
            try:
                found = self._place(self._ask(value))
            except InvalidRecords:
                found = -1
            self._codes[key] = found
        return -1 if found is None else found

    def _place(self, value: Any) -> int:
        key = (type(value), value)
        with self._lock:  # several threads read columns
            if key not in self._places:
                self.choices.append(value)
                self._places[key] = len(self.choices) - 1
            return self._places[key]


def fields_of(model: Model, reader: RecordReader) -> Mapping[str, Field] | None:
    """Return how each field of the model's record is read, in order; None where one field's
    validity may depend on another's, so that no rule can be sure."""
    decorators = model.record.__pydantic_decorators__
    if any(
        (
            decorators.model_validators,
            decorators.root_validators,
            decorators.field_validators,
            decorators.validators,
        )
    ):
        return None
    return {
        name: _field(name, info, model, reader) for name, info in model.record.model_fields.items()
    }


def _field(name: str, info: FieldInfo, model: Model, reader: RecordReader) -> Field:
    def ask(value: Any) -> Any:
        return getattr(reader.one({**model.example, name: value}), name)

    parts = parts_of(info)
    ranges = all(isinstance(part, _RANGES) for part in parts.said)
    if parts.kind is float and ranges:
        return Number(name, parts, fractions=True)
    if parts.kind is int and ranges:
        try:
            ask(float(model.example[name] or 0))
        except InvalidRecords:
            return Number(name, parts, fractions=False)
        return Number(name, parts, fractions=True)
    return Coded(name, ask)


def _number(limit: Any) -> float:
    return float(limit)


def _unsure(rows: int) -> Values:
    return Values(np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.bool_))


def plain(value: Any) -> Any:
    """Return a cell's value as JSON would hold it."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value
