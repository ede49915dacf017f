"""From a schema to a form, from what is typed to JSON, and to a request that can be copied."""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from scoring.models import Model, discover
from serving.pages import snippets
from serving.pages.forms import inputs, record_of, texts
from tests.third_model import TIPS


def test_each_field_has_the_input_that_fits(model: Model) -> None:
    """One input a field, in order; choices for categories, limits for numbers."""
    fields = inputs(model)
    assert [field.name for field in fields] == list(model.record.model_fields)
    for field, schema in zip(
        fields, model.record.model_json_schema()["properties"].values(), strict=True
    ):
        if "enum" in schema:
            assert field.kind == "select"
            assert [value for value, _ in field.choices] == schema["enum"]
        else:
            assert (field.minimum, field.maximum) == (schema["minimum"], schema["maximum"])


def test_the_example_survives_the_form(model: Model) -> None:
    """What the form shows for a record is read back as the same record."""
    assert record_of(model, texts(model, model.example)) == dict(model.example)


def test_zones_are_shown_by_name_and_two_values_as_a_choice() -> None:
    """132 is JFK; 0 and 1 are no and yes."""
    ride, churn = discover()["ride"], discover()["churn"]
    assert texts(ride, {"PULocationID": 132})["PULocationID"] == "132 JFK Airport, Queens"
    senior = {field.name: field for field in inputs(churn)}["seniorcitizen"]
    assert senior.choices == (("0", "no (0)"), ("1", "yes (1)"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("40", 40),
        (" 40 ", 40),
        ("40.5", 40.5),
        ("-1e2", -100.0),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("1e999", float("inf")),
        ("0x10", "0x10"),
        ("٣", "٣"),
        ("9" * 400, "9" * 400),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_number_is_what_json_calls_one(text: str, value: Any) -> None:
    """Everything else stays a text, so that the API says what is wrong with it."""
    found = record_of(discover()["ride"], {"trip_distance": text})["trip_distance"]
    assert (found, type(found)) == (value, type(value))


def test_empty_and_foreign_fields_are_left_out() -> None:
    """The API then says what is missing; what is no field is not sent."""
    assert record_of(discover()["ride"], {"trip_distance": "  ", "fare": "3"}) == {}


def test_the_snippets_survive_quotes_and_truth_values() -> None:
    """A shell and Python each read back the record, apostrophes and booleans included."""
    record = dict(TIPS.example) | {"waiter": 'O\'Neill "$(x)" `\\ é'}
    words = shlex.split(snippets.curl("http://localhost:9696/predict/tips", record))
    assert json.loads(words[words.index("--data-raw") + 1]) == record
    program = snippets.requests("http://localhost:9696/predict/tips", record)
    scope: dict[str, Any] = {}
    exec(program[program.index("record") : program.index("answer")], scope)
    assert scope["record"] == record
    ran = subprocess.run(
        ["sh", "-c", f"printf %s {words[1]}"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "http://localhost:9696/predict/tips"
