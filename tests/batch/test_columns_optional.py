"""Fields that may be null are scored by columns: nobody goes one by one for what is missing."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression

from batch.columns.score import TableScorer
from scoring.predictor import Predictor
from scoring.record import Record
from tests.batch.support import QUIET, RIDE, by_columns, one_by_one, same
from tests.support import write_pair


class Parcel(Record):
    """A parcel of which much may not be known."""

    weight: float | None = Field(gt=0, le=50)
    pieces: int | None = Field(ge=1, le=20)
    colour: str | None = None
    kind: Literal["box", "bag"]
    far: float = Field(ge=0, le=100)


def _plain(parcel: Parcel) -> dict[str, Any]:
    return {
        "weight": parcel.weight,
        "pieces": parcel.pieces,
        "colour": parcel.colour,
        "kind": parcel.kind,
        "far": parcel.far,
    }


def _looked_into(parcel: Parcel) -> dict[str, Any]:
    about = None if parcel.weight is None else f"{parcel.weight:.0f} kg"
    return {"about": about, "pieces": parcel.pieces, "kind": parcel.kind, "far": parcel.far}


def _filled(parcel: Parcel) -> dict[str, Any]:
    return {
        "weight": -1.0 if parcel.weight is None else parcel.weight,
        "whether": "weighed" if parcel.weight is not None else "not weighed",
        "each": None if parcel.pieces is None else parcel.far / parcel.pieces,
        "kind": parcel.kind,
    }


def _of_two_kinds(parcel: Parcel) -> dict[str, Any]:
    return {"weight": "none" if parcel.weight is None else parcel.weight, "far": parcel.far}


FEATURES = {"plain": _plain, "looked into": _looked_into, "filled": _filled,
            "of two kinds": _of_two_kinds}  # fmt: skip
KNOWN = {"weight": 2.5, "pieces": 3, "colour": "red", "kind": "box", "far": 7.5}
BARE = {**KNOWN, "weight": None, "pieces": None, "colour": None}


def _values(count: int) -> list[dict[str, Any]]:
    return [
        {
            "weight": None if n % 3 == 1 else 0.5 + n % 13,
            "pieces": None if n % 4 == 2 else 1 + n % 20,
            "colour": (None, "red", "blue")[n % 3],
            "kind": ("box", "bag")[n // 2 % 2],
            "far": n * 0.37 % 100,
        }
        for n in range(count)
    ]


@pytest.fixture(scope="module", params=[f"{name}, {of}" for name in FEATURES for of in "LF"])
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TableScorer:
    """A linear model or a forest."""
    name, _, of = request.param.partition(", ")
    model = dataclasses.replace(
        RIDE, record=Parcel, features=FEATURES[name], further=None, example=KNOWN, name="parcel"
    )
    values = _values(60)
    rows = [model.features(Parcel.model_validate(value)) for value in values]
    vectorizer = DictVectorizer()
    y = np.array([value["far"] for value in values])
    kind = {"L": LinearRegression(), "F": RandomForestRegressor(5, random_state=1)}[of]
    folder = tmp_path_factory.mktemp("parcels")
    pair = vectorizer, kind.fit(vectorizer.fit_transform(rows), y)
    write_pair(folder, model, pair, golden=[KNOWN, BARE])
    return TableScorer(Predictor.from_folder(folder / "parcel", model))


CELLS = st.fixed_dictionaries(
    {
        "weight": st.one_of(st.none(), st.floats(-1, 51), st.just(float("nan"))),
        "pieces": st.one_of(st.none(), st.integers(-1, 21)),
        "colour": st.sampled_from([None, "red", "green"]),
        "kind": st.sampled_from(["box", "bag", "crate", None]),
        "far": st.one_of(st.none(), st.floats(-1, 101), st.just(-0.0)),
    }
)


@pytest.mark.slow
@QUIET
@given(values=st.lists(CELLS, min_size=1, max_size=20))
def test_any_row_is_answered_or_refused_alike(
    scorer: TableScorer, values: list[dict[str, Any]]
) -> None:
    """Whatever is missing of it."""
    floats, texts = pa.float64(), pa.string()
    same(scorer, values, weight=floats, pieces=pa.int64(), colour=texts, kind=texts, far=floats)


@pytest.mark.slow
def test_rows_that_lack_a_value_are_not_read_one_by_one(
    scorer: TableScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a feature is now a number and now a text."""
    values = _values(400)
    columns = {name: pa.array([value[name] for value in values]) for name in KNOWN}
    expected = one_by_one(scorer.predictor, values)
    went: list[int] = []
    by_row = scorer._by_row

    def noted(places: Any, *more: Any) -> Any:
        went.extend(places)
        return by_row(places, *more)

    monkeypatch.setattr(scorer, "_by_row", noted)
    assert by_columns(scorer, columns, 400) == expected
    assert bool(went) is (
        scorer.model.features(Parcel.model_validate(BARE)).get("weight") == "none"
    )


@pytest.mark.slow
def test_columns_that_are_not_there_or_all_null(scorer: TableScorer) -> None:
    """A default is null; a column of nothing has no type."""
    values = [{**value, "weight": None, "pieces": None} for value in _values(30)]
    columns = {
        "weight": pa.nulls(30), "pieces": pa.nulls(30, pa.int32()),
        "kind": pa.array([value["kind"] for value in values]),
        "far": pa.array([value["far"] for value in values]),
    }  # fmt: skip
    bare = [{name: value[name] for name in columns} for value in values]
    assert by_columns(scorer, columns, 30) == one_by_one(scorer.predictor, bare)


def test_decimals_are_read_as_the_record_reads_them(scorer: TableScorer) -> None:
    """What is null among them is null."""
    column = pa.array([2.5, None, 99.5]).cast(pa.decimal128(10, 2))
    columns = {name: pa.array([value] * 3) for name, value in KNOWN.items()} | {"weight": column}
    values = [{**KNOWN, "weight": weight} for weight in (2.5, None, 99.5)]
    assert by_columns(scorer, columns, 3) == one_by_one(scorer.predictor, values)
