"""The checks before fitting: what is left out, and what stops the training."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.models import Model
from scoring.record import Record
from tests.training.support import CHURN, RIDE, plain_rows, table
from training.data.checks import MIN_ROWS, Checked, check
from training.errors import TrainingError
from training.sources import Source, source_of

OPEN = Source(tidy=lambda frame: frame)  # no limits of the target


def rides(rows: int = 100) -> pd.DataFrame:
    """Usable rides, as they are read: every number a float."""
    found = pd.DataFrame({"PULocationID": 1.0, "DOLocationID": 2.0}, index=range(rows))
    return found.assign(trip_distance=np.arange(rows) / 10, duration=10.0)


def people(rows: int = 100) -> pd.DataFrame:
    """Usable customers, every second of whom left."""
    frame = pd.DataFrame([dict(CHURN.example)] * rows)
    return frame.assign(churn=np.arange(rows) % 2)


def checked(frame: pd.DataFrame, model: Model = RIDE, **more: Any) -> Checked:
    return check(table(frame), model, source_of(model), **more)


@pytest.mark.slow
def test_usable_rows_pass_as_the_fields_are(model: Model) -> None:
    """Nothing is dropped; whole numbers are whole again."""
    frame = plain_rows(model)
    found = check(table(frame), model, OPEN)
    assert (found.dropped, found.kept) == ({}, {})
    for name, field in model.record.model_json_schema()["properties"].items():
        if field["type"] == "integer":
            assert found.frame[name].dtype == "int16"
        assert found.frame[name].tolist() == frame[name].tolist()


def test_what_is_dropped_is_counted_under_its_first_reason() -> None:
    """Each unusable row counts once, even where two things are wrong with it."""
    frame = rides()
    frame.loc[0, "duration"] = np.nan
    frame.loc[[1, 2, 3, 4], "duration"] = [0.99, 60.01, -5.0, math.inf]
    frame.loc[[4, 5], "PULocationID"] = np.nan
    frame.loc[[6, 7, 8], "PULocationID"] = [0.0, 266.0, 1.5]
    frame.loc[9, "DOLocationID"] = -math.inf
    frame.loc[10, "trip_distance"] = np.nan
    frame.loc[[11, 12, 13, 14], "trip_distance"] = [-0.1, 100.1, math.inf, 1e300]
    found = checked(frame)
    assert found.dropped == {
        "duration is missing": 1,
        "duration is not from 1 to 60 minutes": 4,
        "PULocationID is missing": 1,
        "PULocationID is not a whole number from 1 to 265": 3,
        "DOLocationID is not a whole number from 1 to 265": 1,
        "trip_distance is missing": 1,
        "trip_distance is not a number from 0 to 100": 4,
    }
    assert found.keepable == {"trip_distance is not a number from 0 to 100"}
    assert found.frame["trip_distance"].tolist() == frame["trip_distance"][15:].tolist()
    assert found.frame.index.tolist() == list(range(85))


def test_the_limits_themselves_are_usable() -> None:
    """1 and 60 minutes, zones 1 and 265, 0 and 100 miles."""
    frame = rides()
    frame.loc[[0, 1], "duration"] = [1.0, 60.0]
    frame.loc[[0, 1], "PULocationID"] = [1.0, 265.0]
    frame.loc[[0, 1], "trip_distance"] = [0.0, 100.0]
    assert checked(frame).dropped == {}


class Unlimited(Record):
    """Fields of any size."""

    stops: int
    weight: float


def test_a_field_without_limits_is_still_whole_or_finite() -> None:
    """As a third model may have it."""
    parcel = dataclasses.replace(RIDE, record=Unlimited)
    frame = pd.DataFrame({"stops": -7.0, "weight": 1e300, "duration": 1.0}, index=range(100))
    frame.loc[0, "stops"] = 0.5
    frame.loc[1, "weight"] = -math.inf
    assert check(table(frame), parcel, OPEN).dropped == {
        "stops is not a whole number": 1,
        "weight is not a number": 1,
    }


def test_published_results_keep_distances_out_of_range() -> None:
    """They are counted all the same; missing ones and unknown zones are dropped as ever."""
    frame = rides()
    frame.loc[[0, 1, 2], "trip_distance"] = [-1.0, 5000.0, np.nan]
    frame.loc[3, "PULocationID"] = 0.0
    found = checked(frame, keep_out_of_range=True)
    assert found.kept == {"trip_distance is not a number from 0 to 100": 2}
    assert found.dropped == {
        "PULocationID is not a whole number from 1 to 265": 1,
        "trip_distance is missing": 1,
    }
    assert found.frame["trip_distance"].tolist()[:2] == [-1.0, 5000.0]
    assert found.keepable == frozenset()


def test_a_category_has_one_spelling() -> None:
    """`Month-to-month`, `month-to-month` and ` MONTH-TO-MONTH ` are one, and so are spaces and
    underscores."""
    frame = people()
    frame["contract"] = ["Month-to-month", " MONTH-TO-MONTH ", "Two year", "two_year"] * 25
    found = checked(frame, CHURN)
    assert found.dropped == {}
    assert found.frame["contract"].tolist() == (["month-to-month"] * 2 + ["two_year"] * 2) * 25


@pytest.mark.slow
def test_an_unknown_category_is_dropped_and_counted() -> None:
    """The reason lists the categories there are."""
    frame = people()
    frame.loc[[0, 1], "contract"] = ["weekly", None]
    assert checked(frame, CHURN).dropped == {
        "contract is missing": 1,
        "contract is not one of 'month-to-month', 'one_year', 'two_year'": 1,
    }


def test_a_class_that_is_neither_is_dropped_and_counted() -> None:
    """A classification's target is 0 or 1."""
    frame = people().astype({"churn": "float64"})
    frame.loc[[0, 1, 2], "churn"] = [2.0, 0.5, np.nan]
    assert checked(frame, CHURN).dropped == {"churn is missing": 1, "churn is not 0 or 1": 2}


def test_one_outcome_alone_stops_the_training() -> None:
    """What a solver says about it names neither the file nor the column."""
    with pytest.raises(TrainingError, match="churn is 0 in all of the 100 usable rows; rows of bo"):
        checked(people().assign(churn=0), CHURN)


def test_charges_with_a_decimal_comma_are_not_called_missing() -> None:
    """They are there, and no number."""
    raw = people().rename(columns=str.upper).astype({"TOTALCHARGES": "object"})
    raw.loc[:9, "TOTALCHARGES"] = "29,85"
    frame = source_of(CHURN).tidy(raw)
    [reason] = checked(frame, CHURN).dropped
    assert reason.startswith("totalcharges is not a number")


@pytest.mark.parametrize(
    ("model", "name", "value", "message"),
    [
        (
            RIDE,
            "trip_distance",
            "far",
            "column trip_distance holds str in 100 rows, 'far' for one; a number from 0 to 100 is "
            "expected",
        ),
        (
            RIDE,
            "PULocationID",
            True,
            "column PULocationID holds bool in 100 rows, True for one; a whole number from 1 to "
            "265 is expected",
        ),
        (
            CHURN,
            "contract",
            12.0,
            "column contract holds float64 in 100 rows, 12.0 for one; one of 'month-to-month', "
            "'one_year', 'two_year' is expected",
        ),
        (
            CHURN,
            "gender",
            [["female"]] * 100,
            "column gender holds no single values in 100 rows; one of 'female', 'male' is expected",
        ),
    ],
    ids=["text for a number", "bool for a number", "number for a category", "lists"],
)
def test_a_column_of_another_type_stops_the_training(
    model: Model, name: str, value: Any, message: str
) -> None:
    """Column, type, count, and what was expected."""
    frame = (rides() if model is RIDE else people()).assign(**{name: value})
    with pytest.raises(TrainingError) as caught:
        checked(frame, model)
    assert str(caught.value) == message


def test_a_category_that_is_missing_throughout_is_unusable() -> None:
    """An empty column has the type of numbers, and is still just missing."""
    with pytest.raises(TrainingError, match=r"100 of 100 rows are unusable.*gender is missing"):
        checked(people().assign(gender=np.nan), CHURN)


def test_too_few_rows_stop_the_training() -> None:
    """Fewer than fifty: how many there are, how many were expected."""
    with pytest.raises(TrainingError) as caught:
        checked(rides(MIN_ROWS - 1))
    assert str(caught.value) == "a.csv: 49 usable rows of 49; at least 50 are expected"
    assert len(checked(rides(MIN_ROWS)).frame) == MIN_ROWS
    with pytest.raises(TrainingError, match="0 usable rows of 0; at least 50 are expected"):
        checked(rides(0))


def test_too_few_rows_after_dropping_say_why() -> None:
    """The reasons stand beside the count."""
    frame = rides(52)
    frame.loc[[0, 1, 2], "trip_distance"] = -1.0
    with pytest.raises(TrainingError) as caught:
        checked(frame)
    assert str(caught.value) == (
        "a.csv: 49 usable rows of 52; at least 50 are expected "
        "(3 rows: trip_distance is not a number from 0 to 100)"
    )


def test_too_large_a_share_of_unusable_rows_stops_the_training() -> None:
    """A fifth may be unusable unless said otherwise; all reasons are listed with their counts."""
    frame = rides(200)
    frame.loc[:29, "trip_distance"] = -1.0
    frame.loc[30:39, "duration"] = 90.0
    assert len(checked(frame).frame) == 160
    frame.loc[40, "duration"] = 90.0
    with pytest.raises(TrainingError) as caught:
        checked(frame)
    assert str(caught.value) == (
        "a.csv: 41 of 200 rows are unusable, more than the share of 0.2 that is expected at the "
        "most (--max-dropped): 11 rows: duration is not from 1 to 60 minutes; "
        "30 rows: trip_distance is not a number from 0 to 100"
    )
    frame.loc[41:99, "duration"] = 90.0
    assert len(checked(frame, max_dropped=0.5).frame) == 100
