"""A record's fields as inputs of an export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import StringConstraints

from scoring.models import Model
from scoring.record import Spelling
from scoring.values.field_parts import parts_of
from scoring.values.field_schemas import choices_of, describe, field_schemas
from scoring.values.json_values import as_json
from training.export.form import ExportError, Input, InputKind

_KINDS: Final[dict[str, InputKind]] = {
    "integer": "integer", "number": "number", "boolean": "flag", "string": "text",
}  # fmt: skip
_NOT_CHECKED: Final = ("pattern", "minLength", "maxLength", "multipleOf")


def inputs_of(model: Model, used: Iterable[str]) -> tuple[tuple[Input, ...], list[str]]:
    """Return the fields `used` as inputs, in the record's order, and what an export does not check
    of them. Raises ExportError, which names the field, for one that no format can hold."""
    schemas = field_schemas(model.record)
    notes: list[str] = []
    made = []
    for name in model.record.model_fields:
        if name in used:
            made.append(_input(model, name, schemas[name]))
            notes += [
                f"{name}: {words} is not checked"
                for words in _NOT_CHECKED
                if words in schemas[name]
            ]
    return tuple(made), notes


def _input(model: Model, name: str, schema: Mapping[str, Any]) -> Input:
    field = model.record.model_fields[name]
    if "format" in schema:
        raise ExportError(
            f"field '{name}' is {describe(schema)}, which no format reads as the service does"
        )
    _, said, nullable = parts_of(field)
    changing = ("strip_whitespace", "to_lower", "to_upper")
    for part in said:
        if isinstance(part, StringConstraints) and any(getattr(part, key) for key in changing):
            raise ExportError(f"field '{name}' changes its text by StringConstraints")
    choices = choices_of(schema)
    whole = bool(choices) and all(type(choice) is int for choice in choices)
    default = None if field.is_required() else as_json(field.get_default(call_default_factory=True))
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return Input(
        name=name,
        kind=("integer" if whole else "text") if choices else _KINDS[schema["type"]],
        expected=describe(schema),
        nullable=nullable,
        required=field.is_required(),
        default=default,
        choices=choices,
        spelled=Spelling in said,
        low=above if low is None else low,
        high=below if high is None else high,
        low_open=low is None and above is not None,
        high_open=high is None and below is not None,
    )
