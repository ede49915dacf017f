"""A model's code as data: what it may do, and how the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints

from scoring.models import Model
from scoring.record import Record
from tests.kinds import EVERYTHING
from tests.third_model import TIPS
from tests.training.export.exported import MODELS, form_of
from tests.training.export.shop import SHOP
from training.export.answers import answers_of
from training.export.form import Category, ExportError, Form, Lookup, Number
from training.export.inputs import inputs_of
from training.export.reading import check_features_of, made_features
from training.export.trace import trace


class Odd(Record):
    zone: int = Field(ge=1, le=500)
    other: int = Field(ge=1, le=280)
    third: int = Field(ge=1, le=100)
    price: float
    day: date
    loud: bool
    level: Literal["low", "high"]
    word: str
    maybe: int | None
    bare: Annotated[str, StringConstraints(to_lower=True)]
    code: str = Field(pattern="^[A-Z]{2}$", max_length=2)


def odd(features: Callable[[Any], dict[str, Any]]) -> Model:
    return Model(
        name="odd", title="Odd", registered_name="odd", artifact_file="odd.bin",
        task="regression", target="y", unit="y", record=Odd, features=features,
        answer=lambda score, _: {"y": score},
        example={
            "zone": 1, "other": 2, "third": 3, "price": 1.5, "day": "2026-01-31", "loud": True,
            "level": "low", "word": "a", "maybe": None, "bare": "x", "code": "AB",
        },
    )  # fmt: skip


def test_the_code_of_our_models_is_read_as_data() -> None:
    """Zones are joined; a customer's fields are handed on."""
    assert trace(MODELS["ride"]) == (
        Category("PU_DO", (("field", "PULocationID"), "_", ("field", "DOLocationID"))),
        Number("trip_distance", "trip_distance"),
    )
    assert {type(feature) for feature in trace(MODELS["churn"])} == {Category, Number}


def test_what_is_looked_into_is_listed() -> None:
    """By the fields that make a difference, and by no other."""
    card, party, total = trace(TIPS)
    assert card == Lookup("card", ("card",), {(False,): "no", (True,): "yes"})
    assert (party, total) == (Number("party", "party"), Number("total", "total"))


@pytest.mark.parametrize(
    ("features", "named"),
    [
        (lambda it: {"a": it.day.weekday()}, "field 'day' is looked into"),
        (lambda it: {"a": 2 * it.price}, "field 'price' is looked into"),
        (lambda it: {"a": f"{it.price}"}, "field 'price' is looked into"),
        (lambda it: {"a": f"{it.zone:03d}"}, "field 'zone' is looked into"),
        (lambda it: {"a": it.word.upper()}, "field 'word' is looked into"),
        (lambda it: {"a": it.word == "x"}, "field 'word' is looked into"),
        (lambda it: {"a": f"{it.maybe}"}, "field 'maybe' is looked into"),
        (lambda it: {"a": it.zone + it.word}, "field 'zone' is looked into"),
        (lambda it: {"a": it.loud and it.other > 1 and it.level}, "made in one way or another"),
        (lambda it: {"a": it.word if it.loud else "x"}, "'a' is made in one way or another"),
        (lambda it: {"a": "x" if it.loud else 2.0}, "feature 'a' is a text or a number"),
        (lambda it: {"a": "_".join([it.word])}, "cannot be read as joined fields: TypeError"),
        (lambda it: {"a": float(it.price) + 1}, "feature 'a' is made of nothing"),
    ],
)
def test_other_code_is_refused_by_name(features: Callable[[Any], Any], named: str) -> None:
    """The line says which field or feature is in the way."""
    model = odd(features)
    with pytest.raises(ExportError) as caught:
        check_features_of(_form(model))
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def _form(model: Model) -> Form:
    base = form_of("ride", "linear")
    features = trace(model)
    used = set(model.record.model_fields) - {"day", "bare"}
    return Form(
        model=model, manifest=base.manifest.model_copy(update={"golden": []}), version="1",
        inputs=inputs_of(model, used)[0], features=features, parts=base.parts, answers=(),
    )  # fmt: skip


def test_fields_are_listed_up_to_a_number_of_combinations() -> None:
    """The message has both."""
    model = odd(lambda it: {"a": float(it.other > 3 and it.level == "low" and bool(it.loud))})
    [found] = trace(model)
    assert isinstance(found, Lookup)
    assert len(found.values) == 280 * 2 * 2
    model = odd(lambda it: {"a": float(it.other > 3) + float(it.third > 7)})
    with pytest.raises(ExportError, match="other and third, which have 28000 combinations; at mo"):
        trace(model)


@pytest.mark.parametrize(
    ("field", "words"),
    [("day", "field 'day' is a date"), ("bare", "field 'bare' changes its text")],
)
def test_fields_that_no_format_reads_alike_are_refused(field: str, words: str) -> None:
    """Where the features use them."""
    with pytest.raises(ExportError, match=words):
        inputs_of(odd(lambda it: {"a": it.price}), {field})


def test_limits_that_are_not_checked_are_said() -> None:
    """Patterns, lengths, multiples."""
    inputs, notes = inputs_of(odd(lambda it: {"a": it.price}), {"code", "zone"})
    assert notes == ["code: pattern is not checked", "code: maxLength is not checked"]
    assert [(one.name, one.low, one.high) for one in inputs] == [
        ("zone", 1, 500),
        ("code", None, None),
    ]
    open_, _ = inputs_of(EVERYTHING, {"above", "plain_float"})
    assert [(one.low, one.low_open, one.required) for one in open_] == [
        (0, True, True),
        (-1, True, False),
    ]


def test_the_answer_is_told_from_what_it_makes_of_scores() -> None:
    """Other keys are left out, and said."""
    made, notes = answers_of(SHOP, 0.5)
    assert [(one.name, one.kind, one.threshold) for one in made] == [
        ("total", "score", 0.0),
        ("likely", "at_least", 0.5),
    ]
    assert notes == ["the answer's 'words' is left out: it is not the score or a threshold's"]
    assert [one.kind for one in answers_of(MODELS["ride"], 0.5)[0]] == ["not_negative"]


@pytest.mark.parametrize("name", MODELS)
def test_features_are_those_of_the_models_code(name: str) -> None:
    """Of the example, as JSON has it."""
    form = form_of(name, "linear")
    record = form.model.record.model_validate(dict(form.model.example))
    assert made_features(form, record.model_dump(mode="json")) == form.model.features(record)
