"""The fields of a model's record as forms, tables and tensors show them.

Its JSON schema, with references and `null` resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import DEFAULT_REF_TEMPLATE

from scoring.cells import Kind, kind_of
from scoring.lookups import EXTENSION
from scoring.models import Model
from scoring.record import Record, Spelling
from scoring.values.field_parts import missing_limits, parts_of
from scoring.values.field_schemas import choices_of, resolved

# Said of fields with `Spelling`, whose listed values are the canonical ones.
SPELLINGS: Final = "in any case; spaces count as underscores"

_JSON: Final = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field: the kind of its JSON value, and its limits."""

    name: str
    title: str
    description: str
    kind: Kind
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None  # the value itself is not allowed
    below: float | None = None
    format: str = ""  # of a text: date, date-time, ...
    nullable: bool = False
    required: bool = True
    names: str = ""  # the list that the numbers' names are from
    schema: Mapping[str, Any]  # without references


def fields(model: Model) -> Mapping[str, Field]:
    """Return the fields of a model's record by name, in order."""
    return _fields(model.record)


def record_schema(model: Model, ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """Return the JSON schema of a model's record as callers are shown it.

    A category that is read in several spellings says so, as does a whole number that has no limits
    but those of 64 bits.
    """
    document = model.record.model_json_schema(ref_template=ref_template)
    for name, field in model.record.model_fields.items():
        if Spelling in parts_of(field).said and name in document["properties"]:
            schema = document["properties"][name]
            words = [schema.get("description", ""), SPELLINGS]
            schema["description"] = "; ".join(filter(None, words))
        if missing_limits(field):
            schema = document["properties"][name]
            for part in (schema, *schema.get("anyOf", ())):
                if part.get("type") == "integer":
                    part["format"] = "int64"
    return document


def example(model: Model) -> dict[str, Any]:
    """Return a model's example as JSON has it: dates as texts, an Enum's members as values."""
    values: dict[str, Any] = _JSON.dump_python(dict(model.example), mode="json")
    return values


@cache
def _fields(record: type[Record]) -> dict[str, Field]:
    document = record.model_json_schema()
    parts, required = document.get("$defs", {}), document.get("required", ())
    return {
        name: _field(name, schema, parts, required=name in required)
        for name, schema in document.get("properties", {}).items()
    }


def _field(
    name: str, schema: Mapping[str, Any], parts: Mapping[str, Any], *, required: bool
) -> Field:
    flat, nullable = resolved(schema, parts)
    choices = choices_of(flat)
    return Field(
        name=name,
        title=schema.get("title", flat.get("title", name)),
        description=schema.get("description", ""),
        kind=kind_of(flat, choices),
        choices=tuple(choice for choice in choices if choice is not None),
        minimum=flat.get("minimum"),
        maximum=flat.get("maximum"),
        above=flat.get("exclusiveMinimum"),
        below=flat.get("exclusiveMaximum"),
        format=flat.get("format", ""),
        nullable=nullable or None in choices,
        required=required,
        names=schema.get(EXTENSION, flat.get(EXTENSION, "")),
        schema={**flat, "nullable": True} if nullable else flat,
    )
