"""What JSON has no type of its own for, and a record has: dates, times, members of an Enum.

JSON, CSV, forms and V2 have them as texts: `"2026-01-31"`, `"2026-01-31T15:04:05"`, `"red"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_OFFSET: Final = r"(Z|[+-][0-9]{2}:[0-9]{2})?"
# What pandas, Arrow and spreadsheets write for a day is often its first moment, and for a moment
# that is one, the day: both are read, as 74.0 is for 74.
_DATE: Final = re.compile(f"({_DAY})([T ]00:00(:00(\\.0+)?)?)?")
_MOMENT: Final = re.compile(f"{_DAY}([T ]{_TIME}{_OFFSET})?")


class FromJson:
    """A field's validator: makes the record's value of a JSON text, and passes on all else."""

    def __init__(self, kind: Any) -> None:
        """`kind` is the field's type, without `None`."""
        self.kind = kind

    def __call__(self, value: Any) -> Any:
        """Return the value for the text `value`; a text that stands for none as it is, so that it
        is refused as one."""
        if get_origin(self.kind) is Literal:
            if isinstance(value, bool):  # Python takes true for 1
                raise PydanticCustomError("literal_error", "Input should be a listed value")
            return value
        if not isinstance(value, str):
            return value
        try:
            return _read(value, self.kind)
        except ValueError:
            return value


def reader_of(kind: Any) -> BeforeValidator | None:
    """Return what reads a field of a type from JSON; None where it needs nothing."""
    if get_origin(kind) is Literal and int in map(type, get_args(kind)):
        return BeforeValidator(FromJson(kind))
    if isinstance(kind, type) and issubclass(kind, date | Enum):
        return BeforeValidator(FromJson(kind))
    return None


def is_reader(part: Any) -> bool:
    """Tell whether something that is said beside a field's type was made by `reader_of`."""
    return isinstance(part, BeforeValidator) and isinstance(part.func, FromJson)


def as_json(value: Any) -> Any:
    """Return a record's value as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


def all_as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's values by field as JSON has them."""
    return {name: as_json(value) for name, value in values.items()}


def _read(text: str, kind: Any) -> Any:
    if issubclass(kind, Enum):
        return kind(text)
    if issubclass(kind, datetime):
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else text
    return date.fromisoformat(found[1]) if (found := _DATE.fullmatch(text)) else text
