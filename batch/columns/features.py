r"""The features of many rows, from one call of the model's own `features` for each distinct
combination of the fields that it looks into.

    fields --> combination --> model.features --> texts and numbers by combination
       \-> handed on untouched: the field's own column

Rows whose features have the same names are a group: a feature that is None is none. A combination
whose features are of other kinds than the example's is odd: its rows are scored one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from batch.columns.combinations import Combinations, nullable
from batch.columns.fields import Array, Field, Values
from scoring.models import Model
from scoring.untouched import LookedInto, Untouched, field_of

_ODD: Final = -1
_Pattern = tuple[tuple[str, str | None], ...]  # features, each with the field that it hands on


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


class Group(NamedTuple):
    """Rows that have the same features: `places` (None: all rows), and the features by name, in the
    order in which `features` has them."""

    places: Array | None
    features: Mapping[str, Column]


class Features:
    """Make feature columns for one model; what it has learned about combinations is kept."""

    def __init__(self, model: Model, fields: Mapping[str, Field]) -> None:
        self._model = model
        self._fields = fields
        self._untouched = {name: Untouched(name) for name in fields}
        self._record = model.record.model_construct()
        example = model.record.model_validate(model.example)
        self._kinds = {name: _is_text(value) for name, value in model.features(example).items()}
        # by feature that is computed, its value by combination; a filler where there is none
        self._made: dict[str, list[Any]] = {}
        # of features with the fields that are handed on, and by combination the place there
        self._patterns: list[_Pattern] = []
        self._pattern: list[int] = []
        self._some_odd = False
        looked = self._explore(example)
        self._combinations = Combinations(fields, looked, self._untouched, self._learn)

    def of(self, values: Mapping[str, Values]) -> tuple[list[Group], Array]:
        """Return the features of n valid rows, and the places of the odd ones, which have none
        here."""
        rows = len(next(iter(values.values())).values)
        combination = self._combinations.of(values, rows)
        if len(self._patterns) == 1 and not self._some_odd and combination.min(initial=0) >= 0:
            return [Group(None, self._columns(0, values, combination))], np.empty(0, dtype=np.int64)
        # the last is that of what has no number
        pattern = np.array([*self._pattern, _ODD])[combination]
        groups = []
        for number in np.unique(pattern[pattern != _ODD]).tolist():
            places = np.flatnonzero(pattern == number)
            some = {name: value.at(places) for name, value in values.items()}
            groups.append(Group(places, self._columns(number, some, combination[places])))
        return groups, np.flatnonzero(pattern == _ODD)

    def _columns(
        self, pattern: int, values: Mapping[str, Values], combination: Array
    ) -> dict[str, Column]:
        found: dict[str, Column] = {}
        for name, field in self._patterns[pattern]:
            if field is None:
                found[name] = Column(combination, self._made[name])
            else:
                choices = getattr(self._fields[field], "choices", None)
                found[name] = Column(values[field].values, choices, values[field].through)
        return found

    def _explore(self, example: Any) -> set[str]:
        """Return the fields that `features` looks into. Numbers that may be null are tried as
        numbers and as null."""
        maybe = {name for name, field in self._fields.items() if nullable(field)}
        # `x is None` cannot be noticed, nor is a member of an Enum the text that it stands for
        looked = {name for name in self._fields if name in self._model.not_as_they_are} - maybe
        while True:
            given = {name: getattr(example, name) for name in looked}
            try:
                for absent in (set[str](), *({one} for one in maybe), maybe):
                    made = self._call({**given, **dict.fromkeys(absent)}.items())
                    handed = {n: field_of(v) for n, v in made.items() if type(v) is Untouched}
                    wrong = {field for n, field in handed.items() if not self._fits(n, field)}
                    if wrong:
                        break
                if not wrong:
                    return looked
                looked |= wrong
            except LookedInto as found:
                looked.add(found.field)
            except Exception:  # noqa: BLE001  # whatever a stand-in led to, real values will not
                return {*self._fields}

    def _fits(self, name: str, field: str) -> bool:
        """Tell whether a feature may be a field's own column: texts are found by their codes,
        numbers as they are."""
        return self._kinds.get(name) is self._fields[field].coded

    def _call(self, given: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
        """Return the features of a record with the fields `given`; the others are untouched. It is
        the same record each time: read them before the next call."""
        state = self._record.__dict__  # frozen, and not worth making anew
        state.clear()
        state.update(self._untouched)
        state.update(given)
        return self._model.features(self._record)

    def _learn(self, rows: Sequence[tuple[Any, ...]]) -> None:
        names: list[str] = []
        values: list[Any] = []
        pattern: _Pattern = ()  # of each of the rows
        try:
            for row in rows:
                made = self._call(zip(self._combinations.fields, row, strict=True))
                names.extend(made)
                values.extend(made.values())
            first = tuple(names[: len(names) // len(rows)])
            if names == [*first] * len(rows):
                pattern = self._pattern_of(first, values, len(rows))
        except Exception:  # noqa: BLE001  # one of them is odd, or has a feature that is not usual
            pattern = ()
        if not pattern and len(rows) > 1:
            for row in rows:
                self._learn([row])
            return
        computed = {name: place for place, (name, field) in enumerate(pattern) if field is None}
        for name, known in self._made.items():
            if name in computed:
                known.extend(values[computed[name] :: len(pattern)])
            else:
                known.extend([self._filler(name)] * len(rows))
        if pattern and pattern not in self._patterns:
            self._patterns.append(pattern)
        number = self._patterns.index(pattern) if pattern else _ODD
        self._pattern.extend([number] * len(rows))
        self._some_odd = self._some_odd or not pattern

    def _pattern_of(self, names: Sequence[str], values: Sequence[Any], rows: int) -> _Pattern:
        """Return the pattern that all rows have; an empty one where a feature is of another kind
        than the example's, or than it first was. Raises LookedInto where not all hand on one
        field."""
        found: list[tuple[str, str | None]] = []
        for place, name in enumerate(names):
            column = values[place :: len(names)]
            if type(column[0]) is Untouched:
                field = field_of(column[0])
                if column != [self._untouched[field]] * rows or not self._fits(name, field):
                    return ()
                found.append((name, field))
                continue
            text = self._kinds.setdefault(name, _is_text(column[0]))
            if any(_is_text(value) != text for value in column):
                return ()
            if name not in self._made:
                self._made[name] = [self._filler(name)] * len(self._pattern)
            found.append((name, None))
        return tuple(found)

    def _filler(self, name: str) -> str | float:
        return "" if self._kinds[name] else 0.0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
