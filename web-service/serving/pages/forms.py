"""A form from a record's schema, and back: from what is typed to the JSON that the API takes.

The form checks nothing: what is typed goes the way of every record, and the API's own errors
appear beside the fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from scoring.lookups import names, number_of
from scoring.models import Model
from serving.fields import Field, fields
from serving.pages.numbers import number

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,300})(\.\d+)?([eE][-+]?\d{1,3})?", re.ASCII)

Kind = Literal["select", "number", "names", "date", "text"]


@dataclass(frozen=True, kw_only=True)
class Input:
    """One field of a form; texts and choices are as a person reads them."""

    name: str
    title: str
    kind: Kind
    type: str  # of the JSON value: integer, number, string, boolean, json
    hint: str
    choices: tuple[tuple[str, str], ...] = ()  # value, label
    minimum: float | None = None
    maximum: float | None = None
    names: str = ""  # the list that the numbers' names are from
    nullable: bool = False  # left empty, it is null


def inputs(model: Model) -> tuple[Input, ...]:
    """Return one input a field of the model's record, in order."""
    return tuple(_input(field) for field in fields(model).values())


def texts(model: Model, record: Mapping[str, Any]) -> dict[str, str]:
    """Return what the form's fields hold for `record`, a JSON object."""
    return {field.name: _text_of(field, record.get(field.name)) for field in inputs(model)}


def record_of(model: Model, typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON object for what was typed.

    Numbers where the schema has numbers and one was typed, else the text as it is. An empty field
    is null where that is allowed, else left out.
    """
    record: dict[str, Any] = {}
    for field in inputs(model):
        text = typed.get(field.name, "").strip()
        if text:
            record[field.name] = _value(field, text)
        elif field.nullable:
            record[field.name] = None
    return record


def completed(model: Model, typed: Mapping[str, str]) -> dict[str, str]:
    """Return what was typed, with the whole name in place of one that stands for a number."""
    record = record_of(model, typed)
    known = {
        field.name: _text_of(field, record[field.name])
        for field in inputs(model)
        if field.names and record.get(field.name) in names(field.names)
    }
    return {**typed, **known}


def query_of(model: Model, record: Mapping[str, Any]) -> dict[str, str]:
    """Return a record as the query of an address, from which `record_of` makes it again."""
    sent = [field.name for field in inputs(model) if record.get(field.name) is not None]
    return {name: _text(record[name]) for name in sent}


def options(shown: Iterable[Input]) -> Iterator[tuple[str, list[str]]]:
    """Return each list of names that the fields use, once: `132 JFK Airport, Queens`."""
    for name in dict.fromkeys(field.names for field in shown if field.names):
        yield name, [f"{key} {words}" for key, words in names(name).items()]


def _input(field: Field) -> Input:
    choices = field.choices
    if field.kind == "boolean":
        choices = (True, False)
    elif field.kind == "integer" and (field.minimum, field.maximum) == (0, 1):
        choices = (0, 1)  # as good as a yes or no
    kind: Kind = "text"
    if choices:
        kind = "select"
    elif field.names:
        kind = "names"
    elif field.kind in {"integer", "number"}:
        kind = "number"
    elif field.format == "date":
        kind = "date"
    hints = [field.description]
    if kind == "names":
        hints.append("a number, or search by name")
    elif kind == "number":
        hints.append(_limits(field))
    if field.nullable:
        hints.append("may be empty")
    return Input(
        name=field.name,
        title=field.title,
        kind=kind,
        type=field.kind,
        hint="; ".join(filter(None, hints)),
        choices=tuple((_text(choice), _label(choice)) for choice in choices),
        minimum=field.minimum,
        maximum=field.maximum,
        names=field.names,
        nullable=field.nullable,
    )


def _limits(field: Field) -> str:
    if field.minimum is not None and field.maximum is not None:
        return f"{number(field.minimum)} to {number(field.maximum)}"
    bounds = [
        ("at least", field.minimum), ("more than", field.above),
        ("at most", field.maximum), ("less than", field.below),
    ]  # fmt: skip
    return ", ".join(f"{words} {number(bound)}" for words, bound in bounds if bound is not None)


def _text_of(field: Input, value: object) -> str:
    if value is None:
        return ""
    if field.names and isinstance(value, int):
        return f"{value} {names(field.names).get(value, '')}".strip()
    return _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _label(choice: object) -> str:
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    if choice in (0, 1):
        return "yes (1)" if choice else "no (0)"
    return _text(choice).replace("_", " ")


def _value(field: Input, text: str) -> Any:
    if field.type == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if field.type == "string":
        return text
    if field.names:
        code = number_of(field.names, text)
        return text if code is None else code
    if field.type == "json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & set(".eE") else int(text)
