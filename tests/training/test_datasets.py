"""Reading: files as they are published, of any year, and files that are none."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.support import CHURN, RIDE, customers, data_of, saved, trips
from training import datasets
from training.datasets import WHEN, Table, read, source_of
from training.errors import TrainingError
from training.sample import CUSTOMERS, TRIPS


def read_trips(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = saved(frame, folder / "trips.parquet")
    return read(RIDE, source_of(RIDE), [path]).frame


def read_customers(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = saved(frame, folder / "customers.csv")
    return read(CHURN, source_of(CHURN), [path]).frame


@pytest.mark.parametrize(("model", "path"), [(RIDE, TRIPS), (CHURN, CUSTOMERS)])
def test_without_files_the_bundled_sample_is_read(model: Any, path: Path) -> None:
    """No --data: the sample, under its own name and digest."""
    found = read(model, source_of(model), [])
    assert found.name == path.name
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found.frame) > 1000


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
def test_any_years_types_read_the_same(whole: str, unit: str, cab: str, tmp_path: Path) -> None:
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


def test_a_large_file_is_read_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are those of the file at once, in order; a zone that is missing in one slice only
    leaves the others' as they are."""
    frame = trips(50).astype({"PULocationID": "float64"})
    frame.loc[40, "PULocationID"] = np.nan
    at_once = read_trips(frame, tmp_path)
    monkeypatch.setattr(datasets, "_ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(read_trips(frame, tmp_path), at_once)
    with pytest.raises(TrainingError, match="holds str in 50 rows; numbers are expected"):
        read_trips(frame.assign(DOLocationID="74"), tmp_path)


def test_only_the_columns_that_are_needed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month has nineteen."""
    seen: list[str] = []

    def tidy(raw: pd.DataFrame) -> pd.DataFrame:
        seen.extend(raw.columns)
        return source_of(RIDE).tidy(raw)

    source = dataclasses.replace(source_of(RIDE), tidy=tidy)
    read(RIDE, source, [saved(trips(9, cab="tpep"), tmp_path / "a.parquet")])
    assert sorted(seen) == sorted({*trips(1, cab="tpep").columns} - {"VendorID", "fare_amount"})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 265], "int16"),
        ([1.0, -32768.0], "int16"),
        ([1, 40_000], "int32"),
        ([1, 2**40], "int64"),
        ([1.0, 1.5], "float64"),
        ([1.0, np.nan], "float64"),
        ([1.0, np.inf], "float64"),
        ([1.0, 2.0**63], "float64"),
    ],
)
def test_whole_numbers_are_kept_short(values: list[float], kind: str) -> None:
    """And are the same numbers; what is not whole throughout is left alone."""
    found = datasets.short(pd.Series(values))
    assert found.dtype == kind
    np.testing.assert_array_equal(found.to_numpy(), values)


def test_several_files_are_one_table_in_order(tmp_path: Path) -> None:
    """Files of different years go together; the digest is over all of them, in order."""
    one = saved(trips(20).astype({"PULocationID": "int32"}), tmp_path / "one.parquet")
    two = saved(trips(30, unit="ns").assign(trip_distance=99.0), tmp_path / "two.parquet")
    found = read(RIDE, source_of(RIDE), [one, two])
    assert found.name == "one.parquet, two.parquet"
    assert found.files == (one, two)
    assert (found.frame["trip_distance"] == 99.0).tolist() == [False] * 20 + [True] * 30
    assert found.frame.index.tolist() == list(range(50))
    both = hashlib.sha256(one.read_bytes() + two.read_bytes()).hexdigest()
    assert found.sha256 == both
    assert read(RIDE, source_of(RIDE), [two, one]).sha256 != both


def test_customers_become_fields_in_lower_case_and_churn_as_a_number(tmp_path: Path) -> None:
    """The published column names and words; the customer's id is left out."""
    frame = customers(4).assign(Churn=["Yes", "No", "YES", " no "])
    found = read_customers(frame, tmp_path)
    assert list(found) == [*CHURN.record.model_fields, "churn"]
    assert found["churn"].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("charges", "tenure", "expected"),
    [
        (" ", 0, 0.0),
        ("", 0, 0.0),
        (" ", 1, np.nan),
        ("", 1, np.nan),
        ("unknown", 0, np.nan),
        ("nan", 0, np.nan),
        ("29.85", 0, 29.85),
        (" 29.85 ", 1, 29.85),
    ],
    ids=lambda value: repr(value),
)
@pytest.mark.parametrize("others", ["1.5", "x"], ids=["among numbers", "among texts"])
def test_blank_charges_in_the_first_month_are_none(
    charges: str, tenure: int, expected: float, others: str, tmp_path: Path
) -> None:
    """Blank at tenure 0 is 0 dollars; any other text that is no number counts as missing."""
    frame = customers(3).assign(TotalCharges=[others, charges, others], tenure=[5, tenure, 5])
    found = read_customers(frame, tmp_path)["totalcharges"]
    np.testing.assert_equal(found[1], expected)
    assert found.dtype == "float64"


def test_only_an_empty_cell_is_missing(tmp_path: Path) -> None:
    """`NA` and `N/A` are words in these files, not missing values."""
    frame = customers(4).assign(gender=["NA", "N/A", "", "null"])
    found = read_customers(frame, tmp_path)["gender"]
    assert found.isna().tolist() == [False, False, True, False]
    assert found[[0, 1, 3]].tolist() == ["NA", "N/A", "null"]


def test_a_word_for_churn_that_is_none_stops_with_its_count(tmp_path: Path) -> None:
    """What customers did must be known: the words, their count, and what was expected."""
    frame = customers(5).assign(Churn=["Yes", "maybe", "maybe", "", "No"])
    with pytest.raises(TrainingError) as caught:
        read_customers(frame, tmp_path)
    assert str(caught.value) == (
        "customers.csv: column churn holds maybe, nan in 3 of 5 rows; Yes or No is expected"
    )


def test_a_model_without_a_source_reads_its_own_columns(tmp_path: Path) -> None:
    """A third model's file holds the record's fields and the target; other columns are left."""
    tips = dataclasses.replace(RIDE, name="tips")
    frame = pd.DataFrame(
        {"duration": [3.0], "DOLocationID": [2], "PULocationID": [1], "trip_distance": [1.0]}
    )
    path = saved(frame.assign(other=1), tmp_path / "tips.csv")
    found = read(tips, source_of(tips), [path])
    assert found.frame.to_dict("records") == [
        {"PULocationID": 1, "DOLocationID": 2, "trip_distance": 1.0, "duration": 3.0}
    ]
    with pytest.raises(TrainingError, match=r"^there is no sample for 'tips': name files with --"):
        read(tips, source_of(tips), [])


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
            holding("lpep_dropoff_datetime", "2021-01-01 00:15:56"),
            "trips.parquet: column lpep_dropoff_datetime holds str in 9 rows; times are expected",
        ),
        (
            holding("PULocationID", "74"),
            "trips.parquet: column PULocationID holds str in 9 rows; numbers are expected",
        ),
        (
            holding("trip_distance", True),
            "trips.parquet: column trip_distance holds bool in 9 rows; numbers are expected",
        ),
    ],
    ids=["columns missing", "pickup missing", "time as text", "zone as text", "distance as bool"],
)
def test_trips_of_another_shape_are_refused_by_name(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    """The message names file, column, count and what was expected."""
    with pytest.raises(TrainingError) as caught:
        read_trips(change(trips(9)), tmp_path)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lacking("tenure", "Churn"), "customers.csv: 2 of 3 columns are missing: tenure, churn; "),
        (lacking("Contract"), "customers.csv: 1 of 20 columns are missing: contract; there are: "),
        (
            holding("GENDER", "Male"),
            "customers.csv: 1 columns are there more than once: gender",
        ),
    ],
    ids=["columns missing", "a field missing", "a column twice"],
)
def test_customers_of_another_shape_are_refused_by_name(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    """Also a column that is there in two spellings: which of them is meant?"""
    with pytest.raises(TrainingError) as caught:
        read_customers(change(customers(9)), tmp_path)
    assert str(caught.value).startswith(message)


def truncated(folder: Path) -> Path:
    path = data_of(RIDE, folder)
    path.write_bytes(path.read_bytes()[:-200])
    return path


def holed(folder: Path) -> Path:
    path = data_of(RIDE, folder)
    body = path.read_bytes()
    path.write_bytes(body[:4] + bytes(len(body) // 2) + body[4 + len(body) // 2 :])
    return path


def made(name: str, body: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(body)
        return folder / name

    return make


def folder_named(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name

    return make


UNREADABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "parquet truncated": (truncated, "a.parquet cannot be read, is it complete? "),
    "parquet with a hole": (holed, "a.parquet cannot be read, is it complete? "),
    "parquet empty": (made("a.parquet", b""), "a.parquet cannot be read, is it complete? "),
    "parquet is HTML": (made("a.parquet", b"<html>" * 9), "a.parquet cannot be read, is it comp"),
    "CSV empty": (made("a.csv", b""), "a.csv cannot be read, is it complete? No columns"),
    "CSV of bytes": (made("a.csv", b"a,b\n\xff\xfe,\x80\n"), "a.csv cannot be read, is it comp"),
    "CSV ragged": (made("a.csv", b"a,b\n1,2\n1,2,3\n"), "a.csv cannot be read, is it complete? "),
    "another suffix": (made("a.xlsx", b"PK"), "a.xlsx: expected a .parquet or .csv file"),
    "no suffix": (folder_named("data"), "data: expected a .parquet or .csv file"),
    "parquet a folder": (folder_named("a.parquet"), "a.parquet cannot be read, is it complete? "),
    "CSV a folder": (folder_named("a.csv"), "a.csv cannot be read, is it complete? "),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(case: str, tmp_path: Path) -> None:
    """One line that names the file and the reason, whatever is wrong with it."""
    make, message = UNREADABLE[case]
    with pytest.raises(TrainingError) as caught:
        read(RIDE, source_of(RIDE), [make(tmp_path)])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    """The path as it was given."""
    with pytest.raises(TrainingError) as caught:
        read(RIDE, source_of(RIDE), [tmp_path / name])
    assert str(caught.value) == f"there is no file {tmp_path / name}"


def test_a_table_of_headings_alone_has_no_rows(tmp_path: Path) -> None:
    """A CSV with a header only is read; the checks then say that it is too short."""
    found: Table = read(CHURN, source_of(CHURN), [saved(customers(0), tmp_path / "a.csv")])
    assert len(found.frame) == 0
