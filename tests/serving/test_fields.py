"""Whatever field a model's author writes is shown: on the pages, in tables, in the documents."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from scoring.engine import Predictors
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.record import Record
from serving.app import App, create_app
from serving.fields import SPELLINGS, example, fields, record_schema
from serving.pages.forms import inputs, record_of, texts
from serving.settings import Settings
from tests.support import write_artifact
from tests.support.schemas import check_openapi

MODELS = discover()
RIDE, CHURN = MODELS["ride"], MODELS["churn"]
HTML = {"Accept": "text/html"}


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(Enum):
    SMALL = 1
    LARGE = 2


class Strange(Record):
    colour: Colour = Field(description="of the paint")
    size: Size
    day: date
    seats: int | None = Field(ge=1)
    price: float = Field(gt=0, lt=10)
    code: Annotated[str, Field(pattern="^[A-Z]+$")] | None = None
    either: int | float = Field(title="One or the other")
    mixed: int | str
    tags: list[str]
    level: Literal["low", None]
    loud: bool


STRANGE = replace(
    RIDE,
    record=Strange,
    example={
        "colour": Colour.RED, "size": Size.LARGE, "day": date(2026, 1, 31), "seats": None,
        "price": 0.5, "code": None, "either": 1, "mixed": "a", "tags": ["a", "b"],
        "level": None, "loud": True,
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("colour", {"kind": "string", "choices": ("red", "blue"), "description": "of the paint"}),
        ("size", {"kind": "integer", "choices": (1, 2)}),
        ("day", {"kind": "string", "format": "date"}),
        ("seats", {"kind": "integer", "nullable": True, "minimum": 1, "required": True}),
        ("price", {"kind": "number", "above": 0, "below": 10, "minimum": None}),
        ("code", {"kind": "string", "nullable": True, "required": False}),
        ("either", {"kind": "number", "title": "One or the other"}),
        ("mixed", {"kind": "json"}),
        ("tags", {"kind": "json"}),
        ("level", {"kind": "string", "choices": ("low",), "nullable": True}),
        ("loud", {"kind": "boolean"}),
    ],
)
def test_a_field_is_known_by_its_kind_and_limits(name: str, facts: dict[str, Any]) -> None:
    """References and `null` are resolved, whatever the type."""
    field = fields(STRANGE)[name]
    assert {fact: getattr(field, fact) for fact in facts} == facts


def test_every_field_has_an_input_and_the_example_survives_the_form() -> None:
    """What the form shows for the example is read back as the same JSON."""
    record = example(STRANGE)
    json.dumps(record)
    assert record_of(STRANGE, texts(STRANGE, record)) == record
    kinds = {field.name: field.kind for field in inputs(STRANGE)}
    assert kinds["colour"] == kinds["size"] == kinds["loud"] == "select"
    assert kinds["day"] == "date"
    hints = {field.name: field.hint for field in inputs(STRANGE)}
    assert hints["price"] == "more than 0, less than 10"
    assert hints["seats"] == "at least 1; may be empty"


def test_categories_that_are_read_in_several_spellings_say_so() -> None:
    """A document that lists `month-to-month` alone would be narrower than the service."""
    properties = record_schema(CHURN)["properties"]
    assert SPELLINGS in properties["contract"]["description"]
    assert SPELLINGS not in properties["tenure"]["description"]


@pytest.mark.slow
def test_a_model_that_fails_breaks_no_other_models_page(
    app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its part of `/` says so, its example is left out of the document, and the log says why."""
    broken = False

    def features(record: Any) -> Any:
        if broken:
            raise ZeroDivisionError
        return RIDE.features(record)

    model = replace(RIDE, name="frail", title="A frail model", features=features, further=None)
    write_artifact(model, tmp_path)
    frail = Predictor.from_folder(tmp_path / "frail", model)
    served = create_app(
        Settings(), Predictors({"frail": frail, "ride": app.services.predictors.get("ride")})
    )
    client = served.test_client()
    assert "cannot be shown" not in client.get("/", headers=HTML).text
    broken = True
    page = client.get("/", headers=HTML)
    assert page.status_code == 200
    assert page.text.count("cannot be shown") == 1
    assert 'id="ride-form"' in page.text
    document = client.get("/openapi.json")
    assert document.status_code == 200
    check_openapi(document.get_json())
    assert "ZeroDivisionError" in caplog.text
