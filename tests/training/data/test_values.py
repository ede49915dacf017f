"""Columns are read by the rules of the endpoint, whatever kinds of field a model has."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Annotated, Any, Literal

import pandas as pd
import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from scoring.models import Model
from scoring.record import Record, Spelling
from tests.training.support import RIDE, table
from training.data.checks import Checked, check
from training.data.values import read_column
from training.errors import TrainingError
from training.sources import Source

OPEN = Source(tidy=lambda frame: frame)
ROWS = 60


class Anything(Record):
    """One field of each kind."""

    vendor: str = "vts"
    code: str = Field("AB1", pattern="^[A-Z]{2}[0-9]$")
    brand: Literal["vts", "CMT"] = "vts"
    spelt: Annotated[Literal["one_way", "return"], Spelling] = "return"
    night: bool = False
    stops: int = Field(1, ge=0, lt=10)
    fare: float = Field(1.0, gt=0)


def of(record: type[Record]) -> Model:
    return dataclasses.replace(RIDE, record=record, target="tip", task="regression")


def checked(record: type[Record] = Anything, /, **columns: Any) -> Checked:
    """The check of 60 rows of which each has these values, the first of them as listed."""
    frame = pd.DataFrame({n: [f.default] * ROWS for n, f in record.model_fields.items()})
    frame["tip"] = 1.0
    for name, values in columns.items():
        column = values if isinstance(values, list) else [values]
        frame[name] = pd.Series(column + [frame[name][ROWS - 1]] * (ROWS - len(column)))
    return check(table(frame), of(record), OPEN, max_dropped=1)


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("vendor", ["CMT", "cmt", " Cmt "], ["CMT", "cmt", " Cmt "]),
        ("code", ["AB1", "ZZ9"], ["AB1", "ZZ9"]),
        ("brand", ["CMT", "vts"], ["CMT", "vts"]),
        ("spelt", ["One Way", "RETURN", " one_way"], ["one_way", "return", "one_way"]),
        ("night", [True, False], [True, False]),
        ("night", ["true", "False", " TRUE "], [True, False, True]),
        ("stops", [1.0, 2.0], [1, 2]),
        ("stops", ["3", "4.0"], [3, 4]),
        ("fare", [Decimal("1.50"), Decimal("2")], [1.5, 2.0]),
        ("fare", ["1.5", " 2e1 "], [1.5, 20.0]),
    ],
    ids=repr,
)
def test_a_value_is_kept_as_the_endpoint_takes_it(
    name: str, sent: list[Any], kept: list[Any]
) -> None:
    """A text keeps its case unless the field has `Spelling`; numbers and words of a CSV count."""
    found = checked(**{name: sent})
    assert found.dropped == {}
    values = found.frame[name].tolist()[: len(kept)]
    assert values == kept
    assert [type(value) for value in values] == [type(value) for value in kept]
    for value in values:
        assert getattr(Anything.model_validate({**DEFAULTS, name: value}), name) == value


DEFAULTS = {name: field.default for name, field in Anything.model_fields.items()}


@pytest.mark.parametrize(
    ("name", "sent", "reason"),
    [
        ("code", ["ab1"], "code is not a text"),
        ("brand", ["cmt", "VTS"], "brand is not one of 'vts', 'CMT'"),
        ("night", ["yes", 1], "night is not true or false"),
        ("stops", [1.5, "x", 10, -1], "stops is not a whole number of at least 0"),
        ("fare", ["x", 0, -1.0], "fare is not a number"),
        ("fare", [float("inf")], "fare is not a number"),
    ],
    ids=repr,
)
def test_a_value_that_the_endpoint_refuses_is_dropped(
    name: str, sent: list[Any], reason: str
) -> None:
    """And counted under what the field allows."""
    for value in sent:
        with pytest.raises(ValidationError):
            Anything.model_validate({**DEFAULTS, name: value})
    [(text, count)] = checked(**{name: sent}).dropped.items()
    assert text.startswith(reason)
    assert count == len(sent)


def test_out_of_range_and_of_another_type_are_told_apart() -> None:
    """Published results keep the former; an infinite number counts as missing."""
    column = pd.Series([1.0, -1.0, float("inf"), None])
    found = read_column(column, of(Anything), "fare")
    assert found.beyond.tolist() == [False, True, False, False]
    assert found.wrong.tolist() == [False, False, True, False]
    assert found.missing.tolist() == [False, False, False, True]


class Checks(Record):
    """A record with rules of its own."""

    vendor: str = "vts"
    low: int = 1
    high: int = 2

    @field_validator("vendor")
    @classmethod
    def known(cls, vendor: str) -> str:
        if vendor == "none":
            raise ValueError("there is no such vendor")
        return vendor

    @model_validator(mode="after")
    def ordered(self) -> Checks:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_the_records_own_rules_hold_in_training_too() -> None:
    """A row that the endpoint would refuse as a whole is no row to learn from."""
    found = checked(Checks, vendor=["none", "vts"], low=[1, 3])
    assert found.dropped == {"the record as a whole is not valid": 2}


@pytest.mark.parametrize("target", [["1.5", "x"], [Decimal(1), None], [True, None]], ids=repr)
def test_a_target_is_a_number_or_missing(target: list[Any]) -> None:
    """Texts and decimals are read as numbers, and what is not a number is dropped."""
    found = checked(tip=target)
    assert found.dropped == {"tip is missing": 1}
    assert found.frame["tip"].dtype.kind in "if"


def test_a_target_without_any_number_stops_the_training() -> None:
    """The message has one of its values."""
    frame = pd.DataFrame({**DEFAULTS, "tip": "much"}, index=range(ROWS))
    message = "column tip holds str in 60 rows, 'much' for one; numbers are expected"
    with pytest.raises(TrainingError, match=message):
        check(table(frame), of(Anything), OPEN)
