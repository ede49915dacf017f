"""Numbers that have names, wherever a page shows them: in a form, an explanation, a weight.

A feature may join several such numbers (`PU_DO=74_75`); which ones, the model's own example tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Final, NamedTuple

from scoring.lookups import matching, names, nearest, number_of
from scoring.models import Model
from serving.fields import Field, example, fields

_NEAREST: Final = 3
_JOINED: Final = 3  # fields in one feature, at most


class Named(NamedTuple):
    """A value in words, and what the model has in its place: empty where that is the same."""

    words: str
    code: str = ""


def place(list_name: str, number: int) -> str:
    """Return a number's name without what it lies in: `JFK Airport`; empty where it has none."""
    return names(list_name).get(number, "").partition(", ")[0]


def of_value(model: Model, feature: str, value: object) -> Named:
    """Return a field's or a feature's value in words: `Alphabet City to Astoria`, for `4_7`."""
    lists = _lists(model).get(feature, ())
    numbers = str(value).split("_")
    if lists and len(numbers) == len(lists) and all(part.isdecimal() for part in numbers):
        found = [place(name, int(part)) for name, part in zip(lists, numbers, strict=True)]
        if all(found):
            return Named(" to ".join(found), str(value))
    if isinstance(value, str) and not value[:1].isdigit():
        return Named(value.replace("_", " "))
    return Named(str(value))


def of_feature(model: Model, name: str) -> Named:
    """Return a column of the vectorizer in words: `PU_DO=4_7`, `trip_distance`."""
    feature, separator, value = name.partition("=")
    if not separator:
        return Named(_title(model, feature), name if feature in fields(model) else "")
    found = of_value(model, feature, value)
    if feature in fields(model):
        return Named(f"{_title(model, feature)}: {found.words}", name)
    return Named(found.words, name) if found.code else Named(name)


def unknown(model: Model, typed: Mapping[str, str]) -> dict[str, str]:
    """Return, by field, what is wrong with a name that stands for no number, with the nearest."""
    found = {}
    for field in fields(model).values():
        text = typed.get(field.name, "").strip()
        if field.names and text and number_of(field.names, text) is None:
            found[field.name] = _no_such(field, text)
    return found


def _no_such(field: Field, text: str) -> str:
    several = matching(field.names, text)
    if several:
        shown = "; ".join(several[:_NEAREST])
        more = f" and {len(several) - _NEAREST} more" if len(several) > _NEAREST else ""
        return f"'{text[:60]}' is in several names: {shown}{more}"
    near = nearest(field.names, text, _NEAREST)
    meant = f"; nearest are {'; '.join(near)}" if near else "; type a part of a name, or a number"
    return f"there is no '{text[:60]}' in the list{meant}"


def _title(model: Model, name: str) -> str:
    field = fields(model).get(name)
    return field.title if field else name


def _lists(model: Model) -> Mapping[str, Sequence[str]]:
    """Return, by feature, the lists that its numbers are from, in order.

    A field of numbers with names is a feature of its own or is joined with others; the example
    shows which: `74_75` are its two zones.
    """
    named = [field for field in fields(model).values() if field.names]
    lists: dict[str, Sequence[str]] = {field.name: (field.names,) for field in named}
    values = example(model)
    made = model.features(model.record.model_validate(values)) if named else {}
    for feature, value in made.items():
        for many in range(2, min(len(named), _JOINED) + 1):
            for joined in permutations(named, many):
                if value == "_".join(str(values.get(field.name)) for field in joined):
                    lists[feature] = [field.names for field in joined]
    return lists
