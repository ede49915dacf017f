"""Whole numbers without limits of their own: 64 bits, by every reader."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import pandas as pd
import pytest
from pydantic import Field

from scoring.errors import InvalidRecords
from scoring.models import discover
from scoring.record import Record, RecordReader
from scoring.typed_decoder import typed_decoder
from scoring.values.strict_json import decode, encode
from serving.fields import record_schema
from training.data.values import read_column


class Box(Record):
    """Fields that end where a whole number does, but for one."""

    any: int
    some: int | None = None
    more: Annotated[int, Field(ge=0)] | None = None
    less: int = Field(7, lt=10)


class Plain(Record):
    """Nothing that the typed decoder leaves to others."""

    any: int
    less: int = Field(lt=10)


# JSON's readers know so large a number as a float, to 2,048
BEYOND = [2**63, -(2**63) - 2049, 10**25, 10**400, -(10**400), 1e25]
READER = RecordReader(Box)


@pytest.mark.parametrize("name", ["any", "some", "more", "less"])
@pytest.mark.parametrize(
    "value", BEYOND, ids=lambda value: f"{value:.2e}" if abs(value) < 1e300 else ""
)
def test_a_number_of_more_than_64_bits_is_refused(name: str, value: Any) -> None:
    """By its name, alone and in an array, as a number out of range; it would be lost on the way to
    a file, and one of 400 digits is no float."""
    sent = decode(json.dumps({"any": 1, name: value}).encode())
    for read in (READER.one, lambda one: READER.many([{"any": 1}, one])):
        with pytest.raises(InvalidRecords) as caught:
            read(sent)
        [error] = caught.value.errors
        assert error.field.endswith(name)
        assert error.reason == "range"


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), -(2.0**63)])
def test_all_64_bits_are_taken_and_can_be_written(value: float) -> None:
    """The limits of the author hold as before."""
    record = READER.one({"any": value})
    assert encode(dict(record))
    with pytest.raises(InvalidRecords):
        READER.one({"any": 1, "more": -1})


def test_the_quick_reader_leaves_them_to_the_other() -> None:
    """It takes what that takes."""
    decoder = typed_decoder(Plain)
    assert decoder
    read = decoder.one(b'{"any": -9223372036854775808, "less": 3}')
    assert read is not None
    assert read.any == -(2**63)
    for value in map(str, BEYOND[:5]):
        assert decoder.one(f'{{"any": {value}, "less": 3}}'.encode()) is None
        assert decoder.many(f'[{{"any": 1, "less": {value}}}]'.encode()) is None or value[0] == "-"
    with pytest.raises(InvalidRecords):
        RecordReader(Plain).one({"any": 1, "less": -(2**63) - 1})


def test_training_leaves_them_out() -> None:
    """As it does what is beyond a limit, or no number at all."""
    model = dataclasses.replace(discover()["ride"], record=Box)
    texts = ["1", "9223372036854775807", "9223372036854775808", "1" + "0" * 400]
    column = read_column(pd.Series(texts, name="any"), model, "any")
    assert (column.beyond | column.wrong).tolist() == [False, False, True, True]


def test_the_schema_says_how_long_it_is() -> None:
    """In OpenAPI's word, where the author says no limits."""
    model = dataclasses.replace(discover()["ride"], record=Box)
    fields = record_schema(model)["properties"]
    assert fields["any"]["format"] == "int64"
    assert fields["some"]["anyOf"][0]["format"] == "int64"
