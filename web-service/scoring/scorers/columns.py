"""A linear model over typed records, column by column, without a dictionary of features for each.

What a model's `features` makes of some fields is remembered by these fields' values, as the sum of
its weights; other fields pass it unread and are multiplied where they are. Where no field is read,
the sum of the first categories is remembered, as far as they have few combinations. Calling
`features` tells which: a field is replaced by an object that may be passed on and raises at any
other use, so the sum holds whatever value stands in its place. The additions have the order of
`Linear`: scores are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, repeat
from math import isnan, nan
from operator import add, mul
from typing import Any, Final

from scoring.models import Features, Model
from scoring.scorers.base import Scores
from scoring.scorers.linear import Linear, sigmoid
from scoring.typed_records import TypedRecords

_MAX_REMEMBERED: Final = 20_000  # values of the fields that sums are remembered by; some megabytes
_MAX_COMBINATIONS: Final = 4096  # of categories whose weights are remembered as one sum


class _Read(Exception):
    """A field was used, not only passed on."""


def _read(*_: Any) -> Any:
    raise _Read


class _Unread:
    """Stand for a field's value in a call of `features`."""

    def __init__(self, field: str) -> None:
        vars(self)["field"] = field

    __class__ = property(_read)  # isinstance() reads, too
    __bool__ = __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __ne__ = __hash__ = _read
    __str__ = __repr__ = __format__ = __len__ = __iter__ = __getitem__ = __contains__ = _read
    __int__ = __float__ = __index__ = __add__ = __radd__ = __sub__ = __rsub__ = _read
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __pow__ = _read
    __neg__ = __abs__ = __round__ = __getattr__ = _read


class Columns:
    """Scores typed records of one model; made by `columns`."""

    def __init__(
        self, scorer: Linear, model: Model, kind: type[Any], unread: dict[str, str]
    ) -> None:
        """`unread` names the field that each feature is, of those that are one."""
        table = scorer.table
        fields = list(kind.__struct_fields__)
        self._features = model.features
        self._scorer = scorer
        self._kind = kind
        self._unread = unread
        self._logistic = table.link == "logistic"
        self._width = len(table.categories) + len(table.numbers)
        read = [name for name in fields if name not in unread.values()]
        passed = [name for name in table.categories if name in unread]
        # the first few of them at once, where nothing else is remembered
        self._together = [] if read else _together(passed, table.categories)
        self._key = read or [unread[name] for name in self._together]
        self._sums: dict[Any, float] = {}
        self._categories = [
            (unread[name], _Weights(table.categories[name]).__getitem__)
            for name in passed[len(self._together) :]
        ]
        self._numbers = [(unread[name], weight) for name, weight in table.numbers.items()]

    def many(self, records: Sequence[Any]) -> Scores:
        """Return the scores of several records, as `Linear.many` does of their features."""
        if not records:
            return [], {}
        of = (records if isinstance(records, TypedRecords) else TypedRecords(records)).columns
        keys = [of[field] for field in self._key]
        try:
            scores = list(map(self._sums.__getitem__, _rows(keys, len(records))))
        except KeyError:
            scores = self._remember(list(_rows(keys, len(records))), records)
        for field, weight_of in self._categories:
            scores = list(map(add, scores, map(weight_of, of[field])))
        for field, weight in self._numbers:
            scores = [s + weight * x for s, x in zip(scores, of[field], strict=True)]
        if self._logistic:
            scores = list(map(sigmoid, scores))
        unseen: dict[int, Sequence[str]] = {}
        if isnan(sum(scores)):
            for place, score in enumerate(scores):
                if isnan(score):
                    features = self._features(records[place])
                    scores[place], names = self._scorer.one(features)
                    if names:
                        unseen[place] = names
        return scores, unseen

    def _remember(self, keys: Sequence[Any], records: Sequence[Any]) -> list[float]:
        """Return the sum of each record's key, and keep those that are new."""
        if len(self._sums) > _MAX_REMEMBERED:
            self._sums = {}
        sums = self._sums
        for key, record in zip(keys, records, strict=True):
            if key not in sums:
                sums[key] = self._sum(record)
        return [sums[key] for key in keys]

    def _sum(self, record: Any) -> float:
        """Return the intercept plus the weights of the features that are made of read fields.

        It is NaN where a record is unusual.
        """
        values = vars(record)
        probe = {name: _Unread(name) for name in self._unread.values()}
        try:
            made = self._features(self._kind(**{**values, **probe}))
        except _Read:
            return nan
        if len(made) != self._width or not _passes(made, self._unread, self._features(record)):
            return nan
        total = self._scorer.intercept
        for name, weights in self._scorer.table.categories.items():
            if name not in self._unread:
                total += weights.get(made[name], nan) if name in made else nan  # type: ignore[arg-type]  # a text
            elif name in self._together:
                total += weights.get(values[self._unread[name]], nan)
        return total


class _Weights(dict[str, float]):
    """The weights of a category's values, NaN of one that is new."""

    def __missing__(self, _value: object) -> float:
        return nan


def _together(names: Sequence[str], categories: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the first of `names` that have few combinations of values."""
    counts = accumulate((len(categories[name]) for name in names), mul)
    return [n for n, count in zip(names, counts, strict=True) if count <= _MAX_COMBINATIONS]


def _rows(columns: Sequence[Sequence[Any]], count: int) -> Iterable[Any]:
    """Return `count` values to remember a sum by: tuples of several fields, values of one."""
    if len(columns) == 1:
        return columns[0]
    return zip(*columns, strict=True) if columns else repeat((), count)


def columns(scorer: Linear, model: Model, kind: type[Any]) -> Columns | None:
    """Return what scores records of the type `kind`.

    None where the model's features are not of that form: numbers that are fields, categories that
    are fields or made of some.
    """
    example = kind(**{name: model.example[name] for name in kind.__struct_fields__})
    expected = model.features(example)
    unread: dict[str, str] = {}
    for field in kind.__struct_fields__:
        values = {**vars(example), field: _Unread(field)}
        try:
            made = model.features(kind(**values))
        except _Read:
            continue
        names = [name for name, value in made.items() if type(value) not in (str, int, float, bool)]
        unread.update(dict.fromkeys(names, field))
    if not _passes(expected, unread, expected) or not scorer.table.numbers.keys() <= unread.keys():
        return None
    order = [name in unread for name in scorer.table.categories]
    if order != sorted(order):  # sums begin with what is remembered
        return None
    return Columns(scorer, model, kind, unread)


def _passes(made: Features, unread: dict[str, str], features: Features) -> bool:
    """Say whether `made`, with unread fields, is what `features` are with them read."""
    if made.keys() != features.keys():
        return False
    return all(
        name in unread or (type(value) is str and value == features[name])
        for name, value in made.items()
    )
