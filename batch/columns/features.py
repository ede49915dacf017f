r"""The features of many rows, from one call of the model's own `features` for each distinct
combination of the fields that it looks into.

    fields --> combination --> model.features --> texts and numbers by combination
       \-> handed on untouched: the field's own column

A combination whose features have other names or kinds than the example's is odd: its rows are
scored one by one.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from batch.columns.fields import Array, Coded, Field, Mask, Number, Values
from scoring.models import Model
from scoring.untouched import LookedInto, Untouched, field_of

_DENSE: Final = 1 << 22  # combinations that a table has a place for
_MAX_COMBINATIONS: Final = 1_000_000  # that are remembered; rows of others are scored one by one


@dataclass(frozen=True)
class Column:
    """One feature of n rows: (n,) float64 numbers; or, where there are `choices`, (n,) codes of
    texts or numbers; with `through`, places in it, where the codes stand. `choices` only ever
    grows."""

    values: Array
    choices: list[Any] | None = None
    through: Array | None = None

    def at(self, places: Array) -> Column:
        """Return the feature of some rows."""
        return Column(self.values[places], self.choices, self.through)

    def codes(self, places: Array | slice = slice(None)) -> Array:
        """Return the codes of some rows (all)."""
        values = self.values[places]
        return values if self.through is None else self.through[values]


class Features:
    """Make feature columns for one model; what it has learned about combinations is kept."""

    def __init__(self, model: Model, fields: Mapping[str, Field]) -> None:
        self._model = model
        self._fields = fields
        self._lock = threading.Lock()
        self._untouched = {name: Untouched(name) for name in fields}
        self._record = model.record.model_construct()
        example = model.record.model_validate(model.example)
        self.kinds = {name: _is_text(value) for name, value in model.features(example).items()}
        self._looked, self._passed = self._explore(example)
        # by feature that is computed, its value by combination; of an odd one, a filler
        self._made: dict[str, list[Any]] = {n: [] for n in self.kinds if n not in self._passed}
        self._odd: list[bool] = []
        self._known: dict[tuple[Any, ...], int] = {}
        sizes = [_size(fields[name]) for name in self._looked]
        self._table: Array | None = None
        if 0 < int(np.prod(sizes, dtype=object)) <= _DENSE:
            self._table = np.full(int(np.prod(sizes)), -1, dtype=np.int32)
        self._sizes = sizes

    def of(self, values: Mapping[str, Values]) -> tuple[dict[str, Column], Mask | None]:
        """Return the features of n valid rows by name, in the order in which `features` has them,
        and which rows are odd (None: none)."""
        found: dict[str, Column] = {}
        odd: Mask | None = None
        combination = self._combinations(values) if self._made else None
        if combination is not None:
            lost = combination < 0
            if lost.any():
                combination = np.where(lost, 0, combination)
                odd = lost
            if any(self._odd):
                strange = np.array(self._odd)[combination]
                odd = strange if odd is None else odd | strange
        for name in self.kinds:
            field = self._passed.get(name)
            if field is None:
                assert combination is not None  # noqa: S101  # for the type checker
                found[name] = Column(combination, self._made[name])
            else:
                choices = getattr(self._fields[field], "choices", None)
                found[name] = Column(values[field].values, choices, values[field].through)
        return found, odd

    def _explore(self, example: Any) -> tuple[list[str], dict[str, str]]:
        """Return the fields that `features` looks into, and by feature the field handed on."""
        # `x is None` cannot be noticed, nor is a member of an Enum the text that it stands for
        looked = [name for name in self._fields if name in self._model.not_as_they_are]
        while True:
            try:
                made = self._call((name, getattr(example, name)) for name in looked)
                passed = {n: field_of(v) for n, v in made.items() if type(v) is Untouched}
                # texts are found by their codes, numbers as they are
                wrong = [f for n, f in passed.items() if self.kinds[n] != self._fields[f].coded]
                if not wrong:
                    return looked, passed
                looked.append(wrong[0])
            except LookedInto as found:
                looked.append(found.field)
            except Exception:  # noqa: BLE001  # whatever a stand-in led to, real values will not
                return list(self._fields), {}

    def _call(self, given: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
        """Return the features of a record with the fields `given`; the others are untouched. It is
        the same record each time: read them before the next call."""
        state = self._record.__dict__  # frozen, and not worth making anew
        state.clear()
        state.update(self._untouched)
        state.update(given)
        return self._model.features(self._record)

    def _combinations(self, values: Mapping[str, Values]) -> Array:
        """Return the number of each row's combination; -1 where it gets none."""
        columns = [values[name].direct for name in self._looked]
        if not columns:
            rows = len(next(iter(values.values())).values)
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
        for name, size, column in zip(self._looked, self._sizes, columns, strict=True):
            codes *= np.int32(size)
            codes += column.astype(np.int32)
            low = int(self._fields[name].low)  # type: ignore[attr-defined]  # a Number, as it has a size
            offset = offset * size + low
        codes -= np.array(offset).astype(np.int32)
        return codes

    def _places(self, codes: Array) -> list[tuple[Any, ...]]:
        """Return the fields' values of places in the table."""
        columns: list[list[Any]] = []
        for name, size in zip(reversed(self._looked), reversed(self._sizes), strict=True):
            codes, rest = np.divmod(codes, size)
            low = int(self._fields[name].low)  # type: ignore[attr-defined]  # likewise
            columns.append((rest + low).tolist())
        return list(zip(*reversed(columns), strict=True))

    def _decoded(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return rows with the record's values in the place of codes."""
        columns = []
        for name, column in zip(self._looked, zip(*rows, strict=True), strict=True):
            field = self._fields[name]
            columns.append(
                [field.choices[c] for c in column] if isinstance(field, Coded) else column
            )
        return list(zip(*columns, strict=True)) if columns else [()] * len(rows)

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

    def _learn(self, rows: Sequence[tuple[Any, ...]]) -> None:
        names: list[str] = []
        values: list[Any] = []
        try:
            for row in rows:
                made = self._call(zip(self._looked, row, strict=True))
                names.extend(made)
                values.extend(made.values())
            usual = names == list(self.kinds) * len(rows) and self._as_ever(values, len(rows))
        except Exception:  # noqa: BLE001  # one of them is odd, or has a feature that is not usual
            usual = False
        if not usual and len(rows) > 1:
            for row in rows:
                self._learn([row])
            return
        for place, name in enumerate(self.kinds):
            if name in self._made:
                filler = "" if self.kinds[name] else 0.0
                more = values[place :: len(self.kinds)] if usual else [filler]
                self._made[name].extend(more)
        self._odd.extend([not usual] * len(rows))

    def _as_ever(self, values: Sequence[Any], rows: int) -> bool:
        """Tell whether each feature is of the kind that it is in the example, or handed on. Raises
        LookedInto where another thing than usual was handed on."""
        for place, (name, text) in enumerate(self.kinds.items()):
            found = values[place :: len(self.kinds)]
            if name in self._passed:
                if found != [self._untouched[self._passed[name]]] * rows:
                    return False
            elif any(_is_text(value) != text for value in found):
                return False
        return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


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
