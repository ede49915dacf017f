"""What the translations have to know of a model's record: its fields and their kinds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Final, Literal

from scoring.errors import FieldError
from scoring.models import Model
from scoring.record import MAX_ERRORS, Record, describe, probably_meant

Fields = Mapping[str, Mapping[str, Any]]
Kind = Literal["boolean", "integer", "number", "string"]

_KINDS: Final[dict[type, Kind]] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema(model: Model) -> Fields:
    """Gives the JSON schema of each field of a model's record, in order."""
    return _schema(model.record)


def kinds(fields: Fields) -> dict[str, Kind]:
    """Gives the kind of value that each field takes, from its JSON schema."""
    return {name: _kind(field) for name, field in fields.items()}


def missing(sent: Collection[str], fields: Fields, what: str) -> list[FieldError]:
    """Gives an error for each field that is not among the names `sent`: one a column (`what` they
    are called), not one a row."""
    meant = probably_meant(dict.fromkeys(sent), fields)
    found = []
    for name in fields:
        if name not in sent:
            problem = f"missing; expected a {what} of this name: {describe(fields[name])}"
            if name in meant:
                problem += f"; got the {what} '{meant[name]}': was '{name}' meant?"
            found.append(FieldError(name, problem))
    return found[:MAX_ERRORS]


@cache
def _schema(record: type[Record]) -> Fields:
    found: Fields = record.model_json_schema()["properties"]
    return found


def _kind(field: Mapping[str, Any]) -> Kind:
    if "type" in field:
        found: Kind = field["type"]
        return found
    first = field["const"] if "const" in field else field["enum"][0]
    return _KINDS[type(first)]
