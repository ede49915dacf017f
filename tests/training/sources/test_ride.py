"""Trips as the TLC publishes them, of any year and in any file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.support import RIDE, TimeUnit, saved, trips
from training.data.tables import read
from training.errors import TrainingError
from training.sources import WHEN, source_of


def read_trips(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = saved(frame, folder / "trips.parquet")
    return read(RIDE, source_of(RIDE), [path]).frame


def test_trips_become_fields_minutes_and_the_moment_of_the_pickup(tmp_path: Path) -> None:
    """The duration is from pickup to drop-off, in minutes."""
    frame = trips(60)
    begin = frame["lpep_pickup_datetime"]
    frame["lpep_dropoff_datetime"] = begin + pd.Timedelta(minutes=7, seconds=30)
    found = read_trips(frame, tmp_path)
    assert list(found) == ["PULocationID", "DOLocationID", "trip_distance", "duration", WHEN]
    assert (found["duration"] == 7.5).all()
    assert found[WHEN].tolist() == begin.tolist()


@pytest.mark.parametrize("cab", ["lpep", "tpep"], ids=["green", "yellow"])
@pytest.mark.parametrize("unit", ["us", "ns", "ms"])
@pytest.mark.parametrize("whole", ["int64", "int32", "float64"])
def test_any_years_types_read_the_same(
    whole: str, unit: TimeUnit, cab: str, tmp_path: Path
) -> None:
    """Zones int64, int32 or float64 with nulls, times in any unit, green cabs and yellow ones."""
    frame = trips(20, cab=cab, unit=unit)
    frame = frame.astype({"PULocationID": whole, "DOLocationID": whole})
    expected = read_trips(trips(20), tmp_path)
    if whole == "float64":
        frame.loc[3, "PULocationID"] = np.nan
        expected.loc[3, "PULocationID"] = np.nan
    found = read_trips(frame, tmp_path)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert found["PULocationID"].dtype == ("float64" if whole == "float64" else "int16")


@pytest.mark.parametrize("name", ["trips.csv", "trips.CSV", "trips.csv.gz", "TRIPS.PARQUET"])
def test_trips_in_any_file_are_the_same(name: str, tmp_path: Path) -> None:
    """Times are texts in a CSV; the suffix is read in any case."""
    frame = trips(30)
    if "parquet" in name.lower():
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, index=False)
    found = read(RIDE, source_of(RIDE), [tmp_path / name]).frame
    pd.testing.assert_frame_equal(found, read_trips(frame, tmp_path), check_dtype=False)


def test_one_bad_time_is_one_missing_value(tmp_path: Path) -> None:
    """The other rows of the file are used."""
    frame = trips(30).astype({"lpep_pickup_datetime": "str"})
    frame.loc[3, "lpep_pickup_datetime"] = "noon"
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = read(RIDE, source_of(RIDE), [tmp_path / "a.csv"]).frame
    assert found["duration"].isna().tolist() == [n == 3 for n in range(30)]


def test_times_with_an_offset_that_changes_are_read(tmp_path: Path) -> None:
    """As a month has them in which the clocks change."""
    frame = trips(2).assign(
        lpep_pickup_datetime=["2021-03-14 01:50:00-05:00", "2021-03-14 03:10:00-04:00"],
        lpep_dropoff_datetime=["2021-03-14 03:05:00-04:00", "2021-03-14 03:20:00-04:00"],
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = read(RIDE, source_of(RIDE), [tmp_path / "a.csv"]).frame
    assert found["duration"].tolist() == [15.0, 10.0]


def test_times_that_begin_with_the_day_are_read_as_such(tmp_path: Path) -> None:
    """A spreadsheet of most countries writes 31.01.2021; no month is the 31st."""
    plain = trips(40)
    names = ["lpep_pickup_datetime", "lpep_dropoff_datetime"]
    shift = pd.Timestamp("2021-01-05") - plain[names[0]].min()
    days = pd.to_timedelta(np.arange(40) % 26, unit="D")
    moved = plain.assign(**{name: plain[name] + shift + days for name in names})
    texts = {name: moved[name].dt.strftime("%d.%m.%Y %H:%M:%S") for name in names}
    moved.assign(**texts).to_csv(tmp_path / "a.csv", index=False)
    found = read(RIDE, source_of(RIDE), [tmp_path / "a.csv"]).frame
    expected = read_trips(moved, tmp_path)
    assert found[WHEN].dt.floor("s").tolist() == expected[WHEN].dt.floor("s").tolist()
    assert found["duration"].notna().all()


def test_one_time_with_a_zone_and_one_without_are_named(tmp_path: Path) -> None:
    """Nobody knows how long such a ride took."""
    frame = trips(30)
    frame["lpep_pickup_datetime"] = frame["lpep_pickup_datetime"].dt.tz_localize("UTC")
    with pytest.raises(
        TrainingError, match="column lpep_pickup_datetime has times of the zone UTC"
    ):
        read_trips(frame, tmp_path)


def lacking(*names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.drop(columns=list(names))


def holding(name: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lacking("trip_distance", "DOLocationID"),
            "trips.parquet: 2 of 5 columns are missing: DOLocationID, trip_distance; there are: "
            "VendorID, lpep_pickup_datetime, lpep_dropoff_datetime, PULocationID, fare_amount",
        ),
        (
            lacking("lpep_pickup_datetime"),
            "trips.parquet: 1 of 5 columns are missing: lpep_pickup_datetime; there are: VendorID",
        ),
        (
            holding("lpep_dropoff_datetime", "noon"),
            "trips.parquet: column lpep_dropoff_datetime holds str in 9 rows, 'noon' for one; "
            "times such as 2021-01-31 15:04:05 are expected",
        ),
        (
            holding("lpep_dropoff_datetime", 1609459200),
            "trips.parquet: column lpep_dropoff_datetime holds int64 in 9 rows, 1609459200 for ",
        ),
    ],
    ids=["columns missing", "pickup missing", "no times", "times as numbers"],
)
def test_trips_of_another_shape_are_refused_by_name(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    """The message names file, column, count and what was expected."""
    with pytest.raises(TrainingError) as caught:
        read_trips(change(trips(9)), tmp_path)
    assert str(caught.value).startswith(message)
