"""Reading: files as they are published, of any year, and files that are none."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.record import Record
from tests.training.support import CHURN, RIDE, customers, saved, trips
from training.data import tables
from training.data.columns import short
from training.data.tables import Table, read
from training.errors import TrainingError
from training.sample import CUSTOMERS, TRIPS
from training.sources import source_of


def read_trips(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = saved(frame, folder / "trips.parquet")
    return read(RIDE, source_of(RIDE), [path]).frame


@pytest.mark.parametrize(("model", "path"), [(RIDE, TRIPS), (CHURN, CUSTOMERS)])
def test_without_files_the_bundled_sample_is_read(model: Any, path: Path) -> None:
    """No --data: the sample, under its own name and digest."""
    found = read(model, source_of(model), [])
    assert found.name == path.name
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(found.frame) > 1000


def test_a_large_file_is_read_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are those of the file at once, in order; a zone that is missing in one slice only
    leaves the others' as they are."""
    frame = trips(50).astype({"PULocationID": "float64"})
    frame.loc[40, "PULocationID"] = np.nan
    together = read_trips(frame, tmp_path)
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(read_trips(frame, tmp_path), together)
    with pytest.raises(TrainingError, match="holds str in 50 rows, 'noon' for one; times such as"):
        read_trips(frame.assign(lpep_pickup_datetime="noon"), tmp_path)


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
    found = short(pd.Series(values))
    assert found.dtype == kind
    np.testing.assert_array_equal(found.to_numpy(), values)


def test_several_files_are_one_table_in_order(tmp_path: Path) -> None:
    """Files of different years go together; the digest is over all of them, in order."""
    one = saved(trips(20).astype({"PULocationID": "int32"}), tmp_path / "one.parquet")
    two = saved(trips(30, unit="ns").assign(trip_distance=99.0), tmp_path / "two.parquet")
    found = read(RIDE, source_of(RIDE), [one, two])
    assert found.name == "one.parquet, two.parquet"
    assert (found.frame["trip_distance"] == 99.0).tolist() == [False] * 20 + [True] * 30
    assert found.frame.index.tolist() == list(range(50))
    both = hashlib.sha256(one.read_bytes() + two.read_bytes()).hexdigest()
    assert found.sha256 == both
    assert read(RIDE, source_of(RIDE), [two, one]).sha256 != both


def test_a_folder_is_the_files_in_it(tmp_path: Path) -> None:
    """By name, at any depth, as Spark writes them; names that begin with . or _ are skipped."""
    folder = tmp_path / "trips.parquet"
    (folder / "day=2" / ".hidden").mkdir(parents=True)
    saved(trips(20), folder / "part-0.parquet")
    saved(trips(50)[20:].reset_index(drop=True), folder / "part-1.parquet")
    saved(trips(3), folder / "day=2" / ".hidden" / "x.parquet")
    (folder / "_SUCCESS").touch()
    found = read(RIDE, source_of(RIDE), [folder])
    whole = read(RIDE, source_of(RIDE), [saved(trips(50), tmp_path / "all.parquet")])
    pd.testing.assert_frame_equal(found.frame, whole.frame)
    assert found.name == "trips.parquet"


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


class Optional(Record):
    """A record two of whose fields may be left out."""

    trip_distance: float
    stops: int = 1
    tip: float | None = None


def test_a_field_that_a_request_may_leave_out_may_be_left_out_of_a_file(tmp_path: Path) -> None:
    """It has its default, as in the record that the endpoint makes of such a request."""
    model = dataclasses.replace(RIDE, name="tips", record=Optional)
    frame = pd.DataFrame({"trip_distance": [1.0, 2.0], "duration": [3.0, 4.0]})
    path = saved(frame, tmp_path / "tips.csv")
    found = read(model, source_of(model), [path]).frame
    assert found["stops"].tolist() == [1, 1]
    assert found["tip"].tolist() == [None, None]


def test_a_table_of_headings_alone_has_no_rows(tmp_path: Path) -> None:
    """A CSV with a header only is read; the checks then say that it is too short."""
    found: Table = read(CHURN, source_of(CHURN), [saved(customers(0), tmp_path / "a.csv")])
    assert len(found.frame) == 0
