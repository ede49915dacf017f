"""A form from a record's schema, and back: from what is typed to the JSON that the API takes.

The form checks nothing: what is typed goes the way of every record, and the API's own errors
appear beside the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from scoring.models import Model
from scoring.names import EXTENSION, names, number_of
from scoring.pages.numbers import number

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,300})(\.\d+)?([eE][-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One field of a form; texts and choices are as a person reads them."""

    name: str
    title: str
    kind: Literal["select", "number", "names", "text"]
    type: str  # of the JSON value: integer, number, string, boolean
    hint: str
    choices: tuple[tuple[str, str], ...] = ()  # value, label
    minimum: float | None = None
    maximum: float | None = None
    names: str = ""  # the list that the numbers' names are from


def inputs(model: Model) -> tuple[Input, ...]:
    """Gives one input a field of the model's record, in order."""
    properties = model.record.model_json_schema()["properties"]
    return tuple(_input(name, field) for name, field in properties.items())


def texts(model: Model, record: Mapping[str, Any]) -> dict[str, str]:
    """Gives what the form's fields hold for `record`."""
    found = {}
    for field in inputs(model):
        value = record.get(field.name, "")
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif field.names:
            text = f"{value} {names(field.names).get(value, '')}".strip()
        else:
            text = str(value)
        found[field.name] = text
    return found


def record_of(model: Model, typed: Mapping[str, str]) -> dict[str, Any]:
    """Gives the JSON object for what was typed: numbers where the schema has numbers and one was
    typed, else the text as it is. An empty field is left out."""
    found: dict[str, Any] = {}
    for field in inputs(model):
        text = typed.get(field.name, "").strip()
        if text:
            found[field.name] = _value(field, text)
    return found


def options(fields: Iterable[Input]) -> Iterator[tuple[str, list[str]]]:
    """Gives each list of names that the fields use, once: `132 JFK Airport, Queens`."""
    for name in dict.fromkeys(field.names for field in fields if field.names):
        yield name, [f"{key} {words}" for key, words in names(name).items()]


def _input(name: str, field: Mapping[str, Any]) -> Input:
    kind: Literal["select", "number", "names", "text"] = "text"
    choices: list[Any] = field.get("enum", [])
    low, high = field.get("minimum"), field.get("maximum")
    if field["type"] == "boolean":
        choices = [True, False]
    elif field["type"] == "integer" and (low, high) == (0, 1):
        choices = [0, 1]  # as good as a yes or no
    if choices:
        kind = "select"
    elif EXTENSION in field:
        kind = "names"
    elif field["type"] in {"integer", "number"}:
        kind = "number"
    words = [field.get("description", "")]
    if kind == "names":
        words.append("a number, or search by name")
    elif kind == "number" and low is not None and high is not None:
        words.append(f"{number(low)} to {number(high)}")
    return Input(
        name=name,
        title=field.get("title", name),
        kind=kind,
        type=field["type"],
        hint="; ".join(filter(None, words)),
        choices=tuple((_text(choice), _label(choice)) for choice in choices),
        minimum=low,
        maximum=high,
        names=field.get(EXTENSION, ""),
    )


def _text(choice: object) -> str:
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


def _label(choice: object) -> str:
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    if choice in (0, 1):
        return "yes (1)" if choice else "no (0)"
    return str(choice).replace("_", " ")


def _value(field: Input, text: str) -> Any:
    if field.type == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if field.type == "string":
        return text
    if field.names:
        found = number_of(field.names, text)
        return text if found is None else found
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if set(text) & set(".eE") else int(text)
