"""The models: found by their files, each complete in itself."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scoring.models import Model, discover
from scoring.record import Record, RecordReader
from tests.support import ROOT, environment

TIPS = '''
"""The tip of a ride."""
from pydantic import Field
from scoring.models import Model
from scoring.record import Record


class Fare(Record):
    fare: float = Field(ge=0, description="US dollars")


MODEL = Model(
    name="tips", title="Tip", registered_name="tips", artifact_file="tips.bin", task="regression",
    target="tip", unit="US dollars", record=Fare, features=dict,
    answer=lambda score, _threshold: {"tip": score}, example={"fare": 12.5}, rank=RANK,
)
'''


def test_the_models_are_served_in_their_order() -> None:
    """The ride is the default, churn follows."""
    assert list(discover())[:2] == ["ride", "churn"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "order"),
    [("0", ["tips", "ride", "churn"]), ("1", ["ride", "tips", "churn"]), ("9", None)],
)
def test_a_file_dropped_into_the_package_is_a_model(
    tmp_path: Path, rank: str, order: list[str] | None
) -> None:
    """A third model is a third file and nothing else; rank, then name, put it in its place."""
    shutil.copytree(ROOT / "web-service" / "scoring", tmp_path / "scoring")
    file = tmp_path / "scoring" / "models" / "tips.py"
    file.write_text(TIPS.replace("RANK", rank), encoding="utf-8")
    ask = "import json; from scoring.models import discover; print(json.dumps(list(discover())))"
    found = subprocess.run(
        [sys.executable, "-c", ask],
        env=environment(PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    names = [name for name in json.loads(found.stdout) if name in {"ride", "churn", "tips"}]
    assert names == (order or ["ride", "churn", "tips"])


def test_a_models_name_is_its_address(model: Model) -> None:
    """The name fits a URL, a folder and MODELS; the file is a file name."""
    assert discover()[model.name] is model
    assert model.name.isidentifier()
    assert model.name.islower()
    assert Path(model.artifact_file).name == model.artifact_file


def test_a_models_words_are_there(model: Model) -> None:
    """Title, target, unit and registered name are given, and the fields of its record described
    or limited to choices."""
    assert all((model.title, model.target, model.unit, model.registered_name))
    assert issubclass(model.record, Record)
    for name, field in model.record.model_json_schema()["properties"].items():
        assert field.get("description") or "enum" in field, f"{name} has no description"


def test_a_models_example_is_a_valid_record(model: Model) -> None:
    """The example has every field and no other."""
    record = RecordReader(model.record).one(dict(model.example))
    assert dict(record) == dict(model.example)
    assert 0 <= model.threshold <= 1


def test_a_model_makes_texts_and_finite_numbers(model: Model) -> None:
    """`features` gives what a DictVectorizer takes: texts to one-hot encode, numbers to keep."""
    made = model.features(model.record.model_validate(model.example))
    assert made
    for value in made.values():
        assert isinstance(value, str) or (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )


@pytest.mark.parametrize("score", [0.0, 0.25, 1.0])
def test_a_models_answer_is_json_of_floats_and_bools(model: Model, score: float) -> None:
    """A score becomes values that JSON can hold, the same names whatever the score."""
    answer = model.answer(score, model.threshold)
    assert set(answer) == set(model.answer(0.5, 0.5))
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_a_ride_is_its_pair_of_zones_and_its_distance() -> None:
    """The two ids are joined as text, pickup first; the distance stays in miles."""
    ride = discover()["ride"]
    record = ride.record.model_validate(
        {"PULocationID": 130, "DOLocationID": 205, "trip_distance": 3.66}
    )
    assert ride.features(record) == {"PU_DO": "130_205", "trip_distance": 3.66}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("PULocationID", 0), ("PULocationID", 266), ("DOLocationID", 0), ("DOLocationID", 266),
        ("trip_distance", -0.01), ("trip_distance", 100.01), ("trip_distance", 1e9),
    ],
)  # fmt: skip
def test_a_ride_that_cannot_be_is_refused(field: str, value: float) -> None:
    """There are 265 zones, and no ride within the hour is longer than 100 miles."""
    ride = discover()["ride"]
    with pytest.raises(ValueError, match=field):
        ride.record.model_validate({**ride.example, field: value})


def test_a_ride_takes_no_negative_time() -> None:
    """A linear model can fall below zero where no ride can."""
    answer = discover()["ride"].answer
    assert answer(-3.0, 0.5) == {"duration": 0.0}
    assert answer(37.5, 0.5) == {"duration": 37.5}


def test_a_customer_is_nineteen_fields_as_they_are() -> None:
    """Sixteen categories and three quantities, by their own names."""
    churn = discover()["churn"]
    made = churn.features(churn.record.model_validate(churn.example))
    assert made == churn.example
    assert len(made) == 19


def test_a_customer_leaves_from_the_threshold_on() -> None:
    """`churn` is probability >= threshold."""
    answer = discover()["churn"].answer
    assert answer(0.5, 0.5) == {"churn_probability": 0.5, "churn": True}
    assert answer(0.5, 0.51) == {"churn_probability": 0.5, "churn": False}


def test_categories_are_read_as_the_published_table_spells_them() -> None:
    """`Month-to-month` and `No phone service` are what they are in lower case."""
    churn = discover()["churn"]
    spelt = {
        "contract": "Month-to-month",
        "multiplelines": "No phone service",
        "internetservice": "Fiber optic",
        "paymentmethod": "Bank transfer (automatic)",
        "gender": "Female",
    }
    record = dict(churn.record.model_validate({**churn.example, **spelt}))
    assert {name: record[name] for name in spelt} == {
        "contract": "month-to-month",
        "multiplelines": "no_phone_service",
        "internetservice": "fiber_optic",
        "paymentmethod": "bank_transfer_(automatic)",
        "gender": "female",
    }
