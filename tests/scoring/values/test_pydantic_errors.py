"""The names of pydantic's that the messages are made from: an upgrade that moves one fails here."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from scoring.values.pydantic_errors import CHOICE, MISSING, OUTSIDE, RAISED, first_error, message


class Empty(BaseModel):
    field: int


def _raises(value: int) -> int:
    raise ValueError(f"{value} is odd")


def _asserts(value: int) -> int:
    raise AssertionError(f"{value} is odd")


def _value(kind: Any, **limits: Any) -> Any:
    return Annotated[kind, Field(**limits)]


class Colour(Enum):
    RED = "red"


# What makes pydantic say each of them.
PROVOKED: dict[str, tuple[Any, Any]] = {
    "missing": (Empty, {}),
    "literal_error": (Literal["a"], "b"),
    "enum": (Colour, "green"),
    "greater_than": (_value(int, gt=1), 1),
    "greater_than_equal": (_value(int, ge=1), 0),
    "less_than": (_value(int, lt=1), 1),
    "less_than_equal": (_value(int, le=1), 2),
    "finite_number": (_value(float, allow_inf_nan=False), float("nan")),
    "multiple_of": (_value(int, multiple_of=2), 1),
    "string_too_short": (_value(str, min_length=1), ""),
    "string_too_long": (_value(str, max_length=1), "ab"),
    "string_pattern_mismatch": (_value(str, pattern="a"), "b"),
    "value_error": (Annotated[int, AfterValidator(_raises)], 1),
    "assertion_error": (Annotated[int, AfterValidator(_asserts)], 1),
}


def refusal(kind: Any, value: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return caught.value


@pytest.mark.parametrize("name", sorted({MISSING} | CHOICE | OUTSIDE | RAISED))
def test_pydantic_says_each_name(name: str) -> None:
    """The name is on pydantic's own list, and a value of its kind is refused with it."""
    assert name in get_args(ErrorType)
    [line] = refusal(*PROVOKED[name]).errors()
    assert line["type"] == name


@pytest.mark.parametrize("name", sorted(RAISED))
def test_a_validators_words_are_shown_as_it_raised_them(name: str) -> None:
    """Without pydantic's prefix, from the context's key that holds them."""
    [line] = refusal(*PROVOKED[name]).errors()
    assert message(line) == "1 is odd"


def test_the_first_problem_has_its_place() -> None:
    """A field by its name, anything else by the word for the whole."""
    assert first_error(refusal(Empty, {})) == "field: Field required"
    assert first_error(refusal(int, "x"), "the header").startswith("the header: Input should be")
