"""The typed decoder reads plain arrays as the reader of records does, and leaves others to it."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field, field_validator

from scoring.errors import InvalidRecords, NotJson
from scoring.models import Model, discover
from scoring.record import Record, RecordReader
from scoring.typed_decoder import TypedDecoder, typed_decoder
from scoring.values.strict_json import decode
from tests.support import records

RIDE = discover()["ride"]
GOOD = b'{"PULocationID": 1, "DOLocationID": 2, "trip_distance": 3.5}'


def decoder(record: type[Record]) -> TypedDecoder:
    """Return the decoder of a record that has one."""
    made = typed_decoder(record)
    assert made
    return made


def same(read: list[Any], model: Model, body: bytes) -> bool:
    """Say whether records are those that the reader makes of the body, to the types of values."""
    expected = RecordReader(model.record).many(decode(body))
    pairs = [(vars(a), vars(b)) for a, b in zip(read, expected, strict=True)]
    return all(
        left == right and [*map(type, left.values())] == [*map(type, right.values())]
        for left, right in pairs
    )


def test_plain_records_are_read_with_the_values_of_the_reader(model: Model) -> None:
    """Every field, in order, by attribute and as a dictionary, of the same types."""
    rows = records(model, 30)
    body = json.dumps(rows).encode()
    read = decoder(model.record).many(body)
    assert read is not None
    assert same(read, model, body)
    assert [list(vars(record)) for record in read] == [list(model.record.model_fields)] * len(rows)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", GOOD, b"[", b"[" + GOOD, b"[" + GOOD + b"] 1", b"[null]", b"[[]]",
        b"\xef\xbb\xbf[]",
        b"[" + GOOD.replace(b"}", b', "DOLocationID": 2}') + b"]",
        b"[" + GOOD.replace(b"}", b', "id": 7}') + b"]",
        b"[" + GOOD.replace(b'"DOLocationID"', b'"PULocationID"') + b"]",
        b"[" + GOOD.replace(b": 1", b": true") + b"]",
        b"[" + GOOD.replace(b": 1", b': "1"') + b"]",
        b"[" + GOOD.replace(b": 1", b": 0") + b"]",
        b"[" + GOOD.replace(b": 1", b": 1" + b"0" * 400) + b"]",
        b"[" + GOOD.replace(b"3.5", b"NaN") + b"]",
        b"[" + GOOD.replace(b"3.5", b"1e999") + b"]",
        b"[" + GOOD.replace(b"3.5", b"-1e-5") + b"]",
        b"[" + GOOD.replace(b"3.5", b"null") + b"]",
        b"[" * 100_000,
    ],
    ids=range(21),
)  # fmt: skip
def test_whatever_is_unusual_is_left_to_the_reader(body: bytes) -> None:
    """A key more or twice, another type, a number out of range, what is not JSON or no array."""
    assert decoder(RIDE.record).many(body) is None


numbers = st.one_of(
    st.integers(-2, 300),
    st.floats(allow_nan=True),
    st.sampled_from(
        ["1.0", "1e0", "-0", "-0.0", "1e999", "01", "1.", "9" * 30, "1E+2", "NaN", "1e-999"]
    ),
).map(str)
texts = st.one_of(
    st.text(max_size=4).map(json.dumps), st.sampled_from(['"\\ud800"', '":"', "true"])
)
keys = st.one_of(st.sampled_from([f'"{name}"' for name in RIDE.example]), texts)
plain = st.fixed_dictionaries({f'"{name}"': numbers for name in RIDE.example}).map(
    lambda record: list(record.items())
)
objects = st.one_of(plain, plain, st.lists(st.tuples(keys, st.one_of(numbers, texts)), max_size=5))


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(rows=st.lists(objects, max_size=3), tail=st.sampled_from(["", " ", "\n", ",", "]"]))
@example(
    rows=[[('"PULocationID"', "1"), ('"DOLocationID"', "2"), ('"trip_distance"', "3")]], tail=""
)
def test_it_never_reads_what_the_reader_refuses_or_reads_otherwise(
    rows: list[list[tuple[str, str]]], tail: str
) -> None:
    """Whatever an array holds: the same records, or none."""
    objects = ["{" + ",".join(f"{key}:{value}" for key, value in row) + "}" for row in rows]
    body = f"[{','.join(objects)}]{tail}".encode("utf-8", "surrogatepass")
    read = decoder(RIDE.record).many(body)
    try:
        expected = RecordReader(RIDE.record).many(decode(body))
    except (NotJson, InvalidRecords):
        assert read is None
        return
    if read is not None:
        assert [vars(record) for record in read] == [vars(record) for record in expected]
        signs = [math.copysign(1, record.trip_distance) for record in read]
        assert signs == [math.copysign(1, vars(record)["trip_distance"]) for record in expected]


class WithDefault(Record):
    x: float = 1.0


class WithAlias(Record):
    x: float = Field(alias="y")


class WithPattern(Record):
    x: str = Field(pattern="a")


class WithDate(Record):
    x: date


class WithCode(Record):
    x: Annotated[float, BeforeValidator(abs)]


class WithValidator(Record):
    x: float

    @field_validator("x")
    @classmethod
    def check(cls, value: float) -> float:
        return value


class WithProperty(Record):
    x: float

    @property
    def double(self) -> float:
        return 2 * self.x


class WithNumbers(Record):
    x: Literal[1, 2]


class WithTwoBounds(Record):
    x: float = Field(ge=0, gt=1)


class Empty(Record):
    pass


@pytest.mark.parametrize(
    "record",
    [WithDefault, WithAlias, WithPattern, WithDate, WithCode, WithValidator, WithProperty,
     WithNumbers, WithTwoBounds, Empty],
)  # fmt: skip
def test_a_record_that_is_more_than_plain_fields_has_no_decoder(record: type[Record]) -> None:
    """What msgspec could not check as pydantic does, or `features` could miss."""
    assert typed_decoder(record) is None


class WithCategory(Record):
    """A field whose wrong value msgspec quotes."""

    kind: Literal["a", "b"]


def test_a_category_that_is_not_utf_8_is_left_to_the_other_reader() -> None:
    """It says 400, where msgspec itself cannot word its error."""
    body = b'{"kind": "\xffo"}'
    assert decoder(WithCategory).one(body) is None
    assert decoder(WithCategory).many(b"[" + body + b"]") is None
    with pytest.raises(NotJson, match="UTF-8"):
        decode(body)
