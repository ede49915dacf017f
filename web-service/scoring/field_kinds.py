"""Which kinds of field a model's record may have: those that training, JSON, forms, CSV, V2, batch,
OpenAPI and the prediction log are proven to read alike.

A test holds each kind of `KINDS` against every one of these doors. A new kind is added here once it
passes there; any other is refused when its model is found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import date, datetime
from enum import Enum, Flag
from fractions import Fraction
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import StringConstraints
from pydantic.fields import FieldInfo

from scoring.record import Record, Spelling
from scoring.values.field_parts import parts_of
from scoring.values.json_values import is_reader

# For people: what may be used in the place of a field that is refused.
KINDS: Final = (
    "int and float (with ge, gt, le, lt, multiple_of), str (with a pattern or lengths), bool, "
    "date, datetime, Literal of texts or of whole numbers, Enum of texts, and each of them | None"
)

_OF_NUMBERS: Final = (Ge, Gt, Le, Lt, MultipleOf)
_ALIKE: Final = ({str}, {int})  # types of the values of a Literal
_OF_TEXTS: Final = (MinLen, MaxLen, StringConstraints)
_CONSTRAINTS: Final[Mapping[Any, tuple[type, ...]]] = {
    int: _OF_NUMBERS, float: _OF_NUMBERS, str: _OF_TEXTS, bool: (), date: (), datetime: (),
}  # fmt: skip
# What a record may say of itself without being read otherwise than any other.
_HARMLESS: Final = {"title", "json_schema_extra", "use_attribute_docstrings"}


class Refused(ValueError):
    """A model's file holds something that no door, or not every door, could deal with."""


def check_record(record: type[Record]) -> None:
    """Raise Refused, which names the field, unless every field is of a kind that works."""
    if not record.model_fields:
        raise Refused("its record has no fields")
    other = [
        name
        for name, value in record.model_config.items()
        if name not in _HARMLESS and Record.model_config.get(name) != value
    ]
    if other:
        raise Refused(
            f"its record sets {', '.join(sorted(other))} in model_config, which every record has "
            "alike"
        )
    for name, field in record.model_fields.items():
        if words := _trouble(field):
            raise Refused(f"field '{name}' {words}; the kinds that work: {KINDS}")


def _trouble(field: FieldInfo) -> str:
    """Say what is unusual about a field; nothing where every door can read it."""
    if field.alias or field.validation_alias or field.serialization_alias:
        return "has an alias, and callers would have to know two names"
    if field.exclude:
        return "has exclude=True, and would be missing from what is kept of a record"
    kind, said, _ = parts_of(field)
    said = [part for part in said if not is_reader(part)]
    shown = _shown(kind)
    if choices := _choices(kind):
        # an Enum is read from the texts of its values
        if {*map(type, choices)} not in (_ALIKE[:1] if isinstance(kind, type) else _ALIKE):
            return f"is {shown}, whose values are not all texts"
        said = [part for part in said if part is not Spelling]
        allowed: tuple[type, ...] = ()
    elif kind in _CONSTRAINTS:
        allowed = _CONSTRAINTS[kind]
    else:
        return f"is of the type {shown}"
    for part in said:
        if not (isinstance(part, allowed) or _is_pattern(part, kind)):
            return f"is {shown} with {_shown_part(part)}"
    limits = [number for part in said if isinstance(part, _OF_NUMBERS) for number in astuple(part)]
    if not all(map(math.isfinite, limits)):
        return "has a limit that is no finite number, which JSON cannot write: leave it out"
    if _leave_nothing(said, kind):
        return "has limits between which there is no value: every request would be refused"
    return ""


def _leave_nothing(said: Sequence[Any], kind: Any) -> bool:
    """Return whether no value is within the limits of a number, or of a text's length."""
    low = _limits(said, "ge", "gt") + _limits(said, "min_length")
    high = _limits(said, "le", "lt") + _limits(said, "max_length")
    if not low or not high:
        return False
    (least, above), (most, below) = max(low), min(high, key=lambda one: (one[0], not one[1]))
    steps = [str(part.multiple_of) for part in said if isinstance(part, MultipleOf)]
    if steps or kind is int:
        step = Fraction(steps[0] if steps else 1)
        # as they are written: 0.3 / 0.1 is less than 3
        low_end, high_end = (Fraction(str(one)) / step for one in (least, most))
        first = math.floor(low_end) + 1 if above else math.ceil(low_end)
        last = math.ceil(high_end) - 1 if below else math.floor(high_end)
        return first > last
    return bool(least > most or (least == most and (above or below)))


def _limits(said: Sequence[Any], inclusive: str, exclusive: str = "") -> list[tuple[Any, bool]]:
    """Return the limits of these names, each with whether it is out of bounds itself."""
    return [
        (limit, name == exclusive)
        for part in said
        for name in (inclusive, exclusive)
        if (limit := getattr(part, name, None)) is not None
    ]


def _choices(kind: Any) -> tuple[Any, ...]:
    """Return the values that a type lists."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum) and not issubclass(kind, Flag):
        return tuple(member.value for member in kind)
    return ()


def _is_pattern(part: Any, kind: Any) -> bool:
    """Tell `Field(pattern=...)`, whose class pydantic keeps to itself."""
    return kind is str and list(getattr(part, "__dict__", ())) == ["pattern"]


def _shown(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " | ".join("None" if part is type(None) else _shown(part) for part in get_args(kind))
    if get_origin(kind) is None and isinstance(kind, type):
        return kind.__name__
    return str(kind).replace("typing.", "")


def _shown_part(part: Any) -> str:
    said = getattr(part, "__dict__", None) or part
    if isinstance(said, dict) and len(said) == 1:
        return "{}={!r}".format(*next(iter(said.items())))
    return type(part).__name__
