"""The door through which records come in: strict types, and every bad field at once."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from pydantic import BeforeValidator, Field

from scoring.errors import FieldError, InvalidRecords
from scoring.models import Model, discover
from scoring.record import (
    MAX_ERRORS,
    Record,
    RecordReader,
    Spelling,
    normalise,
    probably_meant,
)
from scoring.values.field_schemas import describe
from scoring.values.strict_json import DuplicateKey
from tests.support import records


class Parcel(Record):
    """A record with a field of each kind."""

    depot: int = Field(ge=1, le=9)
    weight: float = Field(ge=0)
    speed: Annotated[Literal["express", "two_days"], Spelling]


GOOD = {"depot": 3, "weight": 1.5, "speed": "express"}
READER = RecordReader(Parcel)


def errors_of(value: object) -> dict[str, str]:
    """Return the bad fields of one value and what is wrong with each."""
    with pytest.raises(InvalidRecords) as caught:
        READER.one(value)
    assert caught.value.status == 422
    return dict(caught.value.errors)


def test_a_good_record_is_taken_and_other_keys_are_ignored() -> None:
    """A record has its fields; a customer id that came along is dropped."""
    record = READER.one({**GOOD, "customer_id": "7590-VHVEG", "": None})
    assert dict(record) == GOOD


@pytest.mark.parametrize("depot", [3.0, 9.0])
def test_a_number_without_a_fraction_is_a_whole_number(depot: float) -> None:
    """74.0 is what pandas and spreadsheets write for 74; alone, in an array, with a spelling."""
    sent = {**GOOD, "depot": depot, "speed": "Two Days"}
    for read in (READER.one(sent), *READER.many([GOOD, sent])[1:]):
        assert dict(read) == {**GOOD, "depot": int(depot), "speed": "two_days"}
        assert type(dict(read)["depot"]) is int
    assert errors_of({**sent, "depot": 10.0}) == {
        "depot": "expected a whole number from 1 to 9, got 10"
    }


def test_a_whole_number_is_a_number() -> None:
    """40 is taken where a float is wanted, and becomes one."""
    weight = dict(READER.one({**GOOD, "weight": 40}))["weight"]
    assert weight == 40.0
    assert isinstance(weight, float)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("3", "a text"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([3], "an array"),
        ({"a": 3}, "an object"),
        (3.5, "3.5"),
        (0, "0"),
        (10, "10"),
        (-1, "-1"),
        (10**15, "a number far too large"),
        (10**400, "a number far too large"),
        (math.inf, "a number far too large"),
        (-math.inf, "a number far too large"),
        (DuplicateKey(), "the key more than once"),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_a_wrong_value_is_named_with_what_was_expected_and_what_came(value: Any, got: str) -> None:
    """One bad field gives one error: where, what was expected, what came instead."""
    expected = f"expected a whole number from 1 to 9, got {got}"
    assert errors_of({**GOOD, "depot": value}) == {"depot": expected}


@pytest.mark.parametrize("value", ["1.5", True, None, math.nan, math.inf, -0.1, [], {}], ids=repr)
def test_a_quantity_is_a_finite_number_within_its_limits(value: Any) -> None:
    """No text, no true, no NaN: what DictVectorizer would have taken for a number."""
    assert list(errors_of({**GOOD, "weight": value})) == ["weight"]


def test_a_text_of_the_callers_is_not_repeated_to_him() -> None:
    """An answer never echoes what a stranger wrote."""
    assert "<script>" not in str(errors_of({**GOOD, "depot": "<script>", "speed": "<script>"}))


def test_all_bad_fields_are_named_at_once() -> None:
    """Nobody repairs a record one error at a time."""
    found = errors_of({"depot": "x", "speed": "slow"})
    assert set(found) == {"depot", "weight", "speed"}
    assert found["weight"] == "missing; expected a number of at least 0"
    assert found["speed"] == "expected one of 'express', 'two_days', got a text"


@pytest.mark.parametrize("value", ["Express", " EXPRESS ", "express"])
def test_a_category_is_read_in_any_spelling(value: str) -> None:
    """Case and outer spaces make no other category."""
    assert dict(READER.one({**GOOD, "speed": value}))["speed"] == "express"


def test_a_category_that_is_nearly_right_is_suggested() -> None:
    """A typo in a category gets the one that was probably meant."""
    assert errors_of({**GOOD, "speed": "expres"})["speed"].endswith("; was 'express' meant?")


@pytest.mark.parametrize("value", ["slow", 7, None, "express" * 9])
def test_a_category_that_is_far_off_is_not_guessed(value: Any) -> None:
    """No near category, no guess; a long text is not compared at all."""
    assert "meant" not in errors_of({**GOOD, "speed": value})["speed"]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("Depot", True), ("de_pot", True), ("DEPOTS", True), ("city", False), ("depot" * 20, False)],
)
def test_a_misspelt_key_is_answered_with_the_field_that_was_meant(sent: str, meant: bool) -> None:
    """A near miss among the unknown keys is named; a far or endless one is not."""
    record = {sent: 3, "weight": 1.5, "speed": "express"}
    problem = errors_of(record)["depot"]
    assert problem.startswith("missing; expected a whole number from 1 to 9")
    assert (f"; got the key '{sent}': was 'depot' meant?" in problem) is meant


def test_one_sent_key_is_meant_once_only() -> None:
    """Two missing fields cannot both have been meant by the same key."""
    assert probably_meant({"field": 1}, ["field1", "field2"]) == {"field1": "field"}


def test_thousands_of_unknown_keys_are_not_all_compared() -> None:
    """Looking for the key that was meant costs a bounded time: later keys are not looked at."""
    sent = {f"x{number}": 0 for number in range(100)} | {"Depot": 3}
    assert probably_meant(sent, ["depot"]) == {}
    assert probably_meant({"Depot": 3, **sent}, ["depot"]) == {"depot": "Depot"}


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", True, [GOOD], []], ids=str)
def test_what_is_no_object_is_no_record(value: Any) -> None:
    """A record is a JSON object; the error names the body."""
    [(field, problem)] = errors_of(value).items()
    assert field == "body"
    assert problem.startswith("expected a record, a JSON object, got ")


def test_a_bad_record_in_an_array_is_named_by_its_index() -> None:
    """One bad record in a hundred: its index is in the field."""
    values: list[Any] = [GOOD] * 100
    values[42] = {**GOOD, "depot": 0}
    values[77] = 5
    with pytest.raises(InvalidRecords) as caught:
        READER.many(values)
    assert caught.value.detail == "2 of 100 records are not valid"
    assert caught.value.errors == (
        FieldError("[42].depot", "expected a whole number from 1 to 9, got 0"),
        FieldError("[77]", "expected a record, a JSON object, got 5"),
    )


def test_good_records_come_out_in_order() -> None:
    """An array gives as many records, each in its place; an empty one gives none."""
    found = READER.many([{**GOOD, "depot": depot} for depot in (9, 1, 5)])
    assert [dict(record)["depot"] for record in found] == [9, 1, 5]
    assert READER.many([]) == []


def test_the_list_of_errors_is_bounded() -> None:
    """A hostile array gets an answer of bounded length that says how much it leaves out."""
    with pytest.raises(InvalidRecords) as caught:
        READER.many([{}] * 500)
    assert len(caught.value.errors) == MAX_ERRORS == 1000
    assert caught.value.detail == (
        "too many records are not valid; the first 1000 errors are listed"
    )


def test_only_the_first_bad_records_are_searched_for_misspelt_keys() -> None:
    """The key that was meant is looked for in five records, not in ten thousand."""
    with pytest.raises(InvalidRecords) as caught:
        READER.many([{"Depot": 1, "weight": 1, "speed": "express"}] * 8)
    assert ["meant" in error.problem for error in caught.value.errors] == [True] * 5 + [False] * 3


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 265}, "a whole number from 1 to 265"),
        ({"type": "number", "minimum": 0.5}, "a number of at least 0.5"),
        ({"type": "number", "maximum": 9}, "a number of at most 9"),
        ({"type": "integer"}, "a whole number"),
        ({"type": "string"}, "a text"),
        ({"enum": ["yes", 1]}, "one of 'yes', 1"),
        ({"const": "yes"}, "'yes'"),
        ({"const": 3}, "3"),
    ],
    ids=str,
)
def test_a_field_is_described_in_words(field: dict[str, Any], words: str) -> None:
    """What a JSON schema allows, as a person would say it."""
    assert describe(field) == words


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("Month-to-month ", "month-to-month"),
        ("No phone  service", "no_phone_service"),
        ("no_phone_service", "no_phone_service"),
        ("", ""),
        (5, 5),
        (None, None),
    ],
)
def test_one_category_has_one_spelling(value: Any, normal: Any) -> None:
    """Case and spaces are spelling; what is no text is left alone."""
    assert normalise(value) == normal


def test_every_model_refuses_each_field_that_is_missing(model: Model) -> None:
    """Leaving out any field of any model's example is an error that names this field alone."""
    reader = RecordReader(model.record)
    for name in model.example:
        record = {key: value for key, value in model.example.items() if key != name}
        with pytest.raises(InvalidRecords) as caught:
            reader.one(record)
        assert [error.field for error in caught.value.errors] == [name]


def test_every_model_takes_the_records_of_the_tests(model: Model) -> None:
    """The records that the other tests send are valid ones."""
    rows = records(model)
    assert len(RecordReader(model.record).many(rows)) == len(rows)


def test_a_record_in_another_spelling_is_the_same_record() -> None:
    """Equal and of one type, alone or among others, whichever way it was read."""
    churn = discover()["churn"]
    reader = RecordReader(churn.record)
    exact = dict(churn.example)
    other = {**exact, "contract": "Month-to-month", "gender": " FEMALE"}
    assert reader.one(other) == reader.one(exact)
    assert reader.many([exact, other]) == [reader.one(exact)] * 2
    assert type(reader.one(other)) is type(reader.one(exact))
    assert isinstance(reader.one(exact), churn.record)


def test_categories_spelt_as_in_the_schema_call_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The many fields of a customer would be as many calls."""
    called: list[object] = []

    def counted(value: object) -> object:
        called.append(value)
        return value

    spelling = BeforeValidator(counted)
    monkeypatch.setattr("scoring.record.Spelling", spelling)

    class Table(Record):
        seat: Annotated[Literal["window", "aisle"], spelling]

    reader = RecordReader(Table)
    assert dict(reader.one({"seat": "aisle"})) == {"seat": "aisle"}
    assert called == []
    with pytest.raises(InvalidRecords):
        reader.one({"seat": "roof"})
    assert called == ["roof"]
