"""Columns of any type and fields of every kind are judged as the record judges values."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pytest
from pydantic import Field, model_validator
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression

from batch.columns.score import TableScorer
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.record import Record, Spelling
from tests.batch.support import RIDE, by_columns, one_by_one, same
from tests.support import write_pair


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        pytest.param([10.0, 74.5, float("nan"), None], pa.float64(), id="decimals"),
        pytest.param([10, 300, None, 7], pa.int16(), id="short"),
        pytest.param([10, 2**64 - 1, None, 7], pa.uint64(), id="unsigned"),
        pytest.param(["10", "x", None, ""], pa.string(), id="texts"),
        pytest.param([True, False, None, True], pa.bool_(), id="truths"),
        pytest.param([[1], [], None, [2]], pa.list_(pa.int64()), id="lists"),
    ],
)
def test_a_column_of_any_type_is_judged_as_its_values_are(
    scorers: dict[str, TableScorer], column: list[Any], kind: pa.DataType
) -> None:
    """A zone as a decimal, as a text, as anything."""
    values = [{**RIDE.example, "PULocationID": value} for value in column]
    for name in ("ride", "ride-scaled"):
        same(scorers[name], values, PULocationID=kind)


class Parcel(Record):
    """A record with every kind of field that a rule may or may not be derived from."""

    size: Annotated[Literal["small", "large"], Spelling]
    speed: Literal[1, 2]
    fragile: bool
    code: str = Field(pattern="^[A-Z]{2}$")
    weight: float = Field(gt=0, le=50)
    floor: int = 0
    distance: float


class Wrapped(Parcel):
    """One whose fields depend on each other."""

    @model_validator(mode="after")
    def _small_is_light(self) -> Wrapped:
        if self.size == "small" and self.weight > 10:
            raise ValueError("a small parcel weighs 10 kg at most")
        return self


def _parcel_features(parcel: Parcel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "lane": f"{parcel.size}-{parcel.speed}",
        "code": parcel.code,
        "heavy": parcel.weight * 2,
        "distance": parcel.distance,
        "floor": parcel.floor + int(parcel.fragile),
    }
    return made


EXAMPLE = {"size": "small", "speed": 1, "fragile": False, "code": "AB", "weight": 2.5, "floor": 1,
           "distance": 3.0}  # fmt: skip


def _parcels(record: type[Record], features: Any = _parcel_features) -> Model:
    return dataclasses.replace(
        RIDE, record=record, features=features, further=None, example=EXAMPLE, name="parcel"
    )


def _parcel_values() -> list[dict[str, Any]]:
    values = []
    for place in range(60):
        value: dict[str, Any] = {
            "size": ["Small", "large", "LARGE ", "huge"][place % 4],
            "speed": 1 + place % 3,
            "fragile": place % 2 == 0,
            "code": ["AB", "CD", "ef", "XY"][place // 3 % 4],
            "weight": place * 1.5 - 1.5,
            "floor": place % 5,
            "distance": place * 0.37,
        }
        values.append(value)
    return values


def _scorer_of(model: Model, folder: Path) -> TableScorer:
    values = [{**EXAMPLE, "weight": 1.0 + n, "distance": n} for n in (1.0, 2.0, 5.0, 7.5)]
    rows = [model.features(model.record.model_validate(value)) for value in values]
    vectorizer = DictVectorizer()
    pair = vectorizer, LinearRegression().fit(vectorizer.fit_transform(rows), [1.0, 2.0, 3.0, 9.0])
    write_pair(folder, model, pair, golden=[EXAMPLE], threshold=0.5)
    return TableScorer(Predictor.from_folder(folder / model.name, model))


@pytest.mark.slow
@pytest.mark.parametrize("record", [Parcel, Wrapped])
def test_a_record_of_every_kind_of_field(tmp_path: Path, record: type[Record]) -> None:
    """Where fields depend on each other nothing is decided field by field."""
    scorer = _scorer_of(_parcels(record), tmp_path)
    assert scorer.vectorised is (record is Parcel)
    same(scorer, _parcel_values())
    same(scorer, [{**value, "weight": -0.0} for value in _parcel_values()])


@pytest.mark.slow
def test_a_field_without_a_column_has_its_default(tmp_path: Path) -> None:
    """As in a request that leaves it out."""
    scorer = _scorer_of(_parcels(Parcel), tmp_path)
    values = [{k: v for k, v in value.items() if k != "floor"} for value in _parcel_values()]
    columns = {n: pa.array([v[n] for v in values]) for n in EXAMPLE if n != "floor"}
    assert by_columns(scorer, columns, 60) == one_by_one(scorer.predictor, values)


def _moody(parcel: Parcel) -> dict[str, Any]:
    made = _parcel_features(parcel)
    if parcel.size == "large":
        made["extra"] = "surprise"
    if parcel.speed == 2:
        made["distance"] = parcel.weight
    return made


@pytest.mark.slow
def test_rows_with_other_features_than_the_example_go_one_by_one(tmp_path: Path) -> None:
    """A model's `features` may give more for some records, or hand on another field."""
    scorer = _scorer_of(_parcels(Parcel, _moody), tmp_path)
    assert scorer.vectorised
    same(scorer, _parcel_values())
