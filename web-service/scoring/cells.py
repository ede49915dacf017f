"""Cells of text as values of a record's fields: one rule for a CSV request and for a file's rows.

What kind of JSON value a field takes is read from the record's JSON schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from scoring.record import Record
from scoring.values.field_schemas import choices_of, field_schemas

# `json` is what has no plain type: an array, an object, a choice of several types.
Kind = Literal["boolean", "integer", "number", "string", "json"]

NUMBERS: Final[tuple[Kind, ...]] = ("integer", "number")

_KINDS: Final[Mapping[type, Kind]] = {
    bool: "boolean", int: "integer", float: "number", str: "string",
}  # fmt: skip
_NAMES: Final = frozenset(_KINDS.values())

# What Python's own float() takes beside these (nan, inf, 1_000) is no number in a CSV.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
# the first line of a CSV that tells Excel its separator, in countries where that is not a comma
_EXCELS_LINE: Final = re.compile(r'("?)sep=([,;|\t])\1\r?\n', re.IGNORECASE)  # in quotes, too
_BOOLEANS: Final = {"true": True, "false": False}


def value(text: str, kind: Kind) -> Any:
    """Return the value that a cell holds, None for an empty one.

    The text itself where it is not of that kind, which the record's reader then refuses by its
    name.
    """
    bare = text.strip()
    if not bare:
        return None
    if kind == "integer" and _INTEGER.fullmatch(bare):
        return int(bare)
    if kind in NUMBERS and _NUMBER.fullmatch(bare):
        return float(bare)
    if kind == "boolean":
        return _BOOLEANS.get(bare.lower(), text)
    return text


def excels_separator(text: str) -> str | None:
    """Return the separator that the first line of a CSV tells Excel of, `sep=;`, None where it is
    another line."""
    match = _EXCELS_LINE.match(text)
    return match[2] if match else None


def cell(value: Any) -> str:
    """Return the cell that is read as a JSON value of a field: empty for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def kinds(record: type[Record]) -> dict[str, Kind]:
    """Return the kind of each field of a record, by name, in order."""
    schemas = field_schemas(record)
    return {name: kind_of(schema, choices_of(schema)) for name, schema in schemas.items()}


def kind_of(schema: Mapping[str, Any], choices: tuple[Any, ...]) -> Kind:
    """Return the kind of a field by its resolved schema and the values listed there."""
    if schema.get("type") in _NAMES:
        kind: Kind = schema["type"]
        return kind
    if "anyOf" in schema:
        found = {part.get("type") for part in schema["anyOf"]} - {"null"}
        return "number" if found == {"integer", "number"} else "json"
    of_values = {_KINDS.get(type(choice), "json") for choice in choices if choice is not None}
    return of_values.pop() if len(of_values) == 1 else "json"
