"""Cells of text: what a number is, and the kind of value that each field takes."""

from __future__ import annotations

import enum
from typing import Any, Literal

import pytest

from scoring.cells import Kind, kinds, value
from scoring.record import Record


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (" +7 ", "integer", 7),
        ("7.0", "integer", 7.0),
        ("0x4A", "integer", "0x4A"),
        (".5e1", "number", 5.0),
        ("5.", "number", 5.0),
        ("nan", "number", "nan"),
        ("1_000", "number", "1_000"),
        ("TRUE", "boolean", True),
        ("yes", "boolean", "yes"),
        (" Yes", "string", " Yes"),
        ("  ", "string", None),
        ("", "number", None),
    ],
)
def test_a_cell_is_a_value_or_the_text_that_it_was(text: str, kind: Kind, expected: Any) -> None:
    """What is no number by our rules stays a text, which the record then refuses."""
    found = value(text, kind)
    assert (found, type(found)) == (expected, type(expected))


class _Colour(enum.Enum):
    RED = "red"


class _Fields(Record):
    whole: int
    miles: float | None
    either: int | float
    colour: _Colour
    yes: Literal["Yes", "No"]
    odd: int | str
    several: list[int]
    on: bool = False


def test_the_kind_of_a_field_is_its_schemas() -> None:
    """Also where it is behind a reference, may be null, or is listed by its values."""
    assert kinds(_Fields) == {
        "whole": "integer", "miles": "number", "either": "number", "colour": "string",
        "yes": "string", "odd": "json", "several": "json", "on": "boolean",
    }  # fmt: skip
