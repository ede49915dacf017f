"""JSON schemas of a record's fields: references and `null` resolved, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

_NOUNS: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
}
_FORMATS: Final = {
    "date": "a date such as 2026-01-31",
    "date-time": "a time such as 2026-01-31T15:04:05",
}


@lru_cache(maxsize=64)
def field_schemas(record: type[BaseModel]) -> Mapping[str, Mapping[str, Any]]:
    """Return the schema of each field of a record, by name, in order; made once a record.

    References are resolved; the alternative `null` is said by the key `nullable`.
    """
    document = record.model_json_schema()
    parts = document.get("$defs", {})
    found: dict[str, Mapping[str, Any]] = {}
    for name, schema in document.get("properties", {}).items():
        flat, nullable = resolved(schema, parts)
        found[name] = {**flat, "nullable": True} if nullable else flat
    return MappingProxyType(found)


def resolved(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return a field's schema without references or the alternative `null`.

    `parts` are the document's `$defs`. The second value says whether it had that alternative.
    """
    nullable = False
    for _ in range(10):  # a reference to itself would have no end
        if "$ref" in schema:
            target = parts.get(schema["$ref"].rpartition("/")[2], {})
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        elif len(schema.get("allOf", ())) == 1:
            rest = {k: v for k, v in schema.items() if k != "allOf"}
            schema = {**schema["allOf"][0], **rest}
        elif "anyOf" in schema:
            several = [part for part in schema["anyOf"] if part.get("type") != "null"]
            nullable = nullable or len(several) < len(schema["anyOf"])
            if len(several) != 1:
                break
            schema = {**several[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
        else:
            break
    return schema, nullable


def choices_of(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values that a resolved schema lists, empty where it lists none."""
    return (schema["const"],) if "const" in schema else tuple(schema.get("enum", ()))


def describe(field: Mapping[str, Any]) -> str:
    """Say in words what a field's resolved schema allows: "a whole number from 1 to 265"."""
    return _described(field) + (" or null" if field.get("nullable") else "")


def _described(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return "one of " + ", ".join(_quoted(choice) for choice in field["enum"])
    if "const" in field:
        return _quoted(field["const"])
    if "format" in field:
        return _FORMATS[field["format"]]
    words = _NOUNS[field["type"]] + (_limits(field) if field["type"] != "string" else "")
    if "multipleOf" in field:
        words += f", a multiple of {field['multipleOf']:g}"
    return words + _form(field)


def _limits(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    bounds = [
        ("at least", low), ("more than", field.get("exclusiveMinimum")),
        ("at most", high), ("less than", field.get("exclusiveMaximum")),
    ]  # fmt: skip
    found = [f"{words} {bound:g}" for words, bound in bounds if bound is not None]
    return " of " + " and ".join(found) if found else ""


def _form(field: Mapping[str, Any]) -> str:
    low, high = field.get("minLength"), field.get("maxLength")
    found = []
    if low is not None and high is not None:
        found.append(f"of {low} to {high} characters")
    elif low is not None or high is not None:
        found.append(f"of at {f'least {low}' if high is None else f'most {high}'} characters")
    if "pattern" in field:
        found.append(f"that matches {field['pattern']}")
    return "".join(f" {words}" for words in found)


def _quoted(choice: object) -> str:
    return f"'{choice}'" if isinstance(choice, str) else str(choice)
