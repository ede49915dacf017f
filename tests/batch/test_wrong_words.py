"""Words and columns that do not fit are answered with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.errors import UsageError
from batch.inputs import parquet
from batch.options import parse
from tests.batch.conftest import Ended
from tests.batch.support import report, rides, scored, write_rides

Batch = Callable[..., Ended]

BASE = ("ride", "in.parquet", "--output", "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--column", "trip_distance"), "--column takes FIELD=COLUMN, not 'trip_distance'"),
        (("--column", "=miles"), "--column takes FIELD=COLUMN"),
        (("--master", "local[2]"), "--master is for --engine spark"),
        (("--engine", "spark", "--workers", "2"), "--workers is for one machine"),
        (("--engine", "spark", "--limit", "2"), "--limit is for a try on one machine"),
    ],
)
def test_options_that_do_not_fit_together(words: tuple[str, ...], said: str) -> None:
    """Before a file is looked at."""
    with pytest.raises(UsageError, match=said.replace("[", r"\[")):
        parse([*BASE, *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--workers", "0"), "0 is not 1 or more"),
        (("--max-rejected", "120%"), "120% is not a share from 0 to 1"),
    ],
)
def test_numbers_out_of_range(batch: Batch, words: tuple[str, ...], said: str) -> None:
    """As argparse says it."""
    ended = batch(*BASE, *words)
    assert ended.status == 2
    assert said in ended.err


def test_a_share_may_be_a_percentage() -> None:
    """As people write it."""
    assert parse([*BASE, "--max-rejected", "5%"]).max_rejected == 0.05


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--column", "miles=trip_distance"), "--column names 'miles', which is not a field"),
        (("--column", "trip_distance=ride_id"), "'ride_id' holds string, and 'trip_distance' is"),
        (
            ("--keep", "ride_ids"),
            "--keep names 'ride_ids', which in.parquet has not; was 'ride_id'",
        ),
        (("--keep", "colour"), "has not; there are: PULocationID, DOLocationID"),
        (("--where", "miles > 2"), "--where names 'miles', which in.parquet has not"),
    ],
)
def test_columns_that_are_not_there(
    batch: Batch, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Before the first row, and nothing is left behind."""
    write_rides(tmp_path / "in.parquet", 10)
    ended = batch(*BASE, *words)
    assert ended.status == 2
    assert said in ended.err
    assert not (tmp_path / "out" / "run.json").exists()


def test_a_column_that_is_there_twice(batch: Batch, tmp_path: Path) -> None:
    """Nobody knows which one is meant."""
    table = rides(3)
    twice = pa.Table.from_arrays(
        [*table.columns, table["trip_distance"]], names=[*table.column_names, "trip_distance"]
    )
    pq.write_table(twice, tmp_path / "in.parquet")
    ended = batch(*BASE)
    assert ended.status == 2
    assert "in.parquet has the column 'trip_distance' twice" in ended.err


def test_a_list_has_no_place_in_csv(batch: Batch, tmp_path: Path) -> None:
    """Said before the first row, with both ways out."""
    write_rides(tmp_path / "in.parquet", 3, tags=[["a"], [], ["b"]])
    ended = batch("ride", "in.parquet", "--output", "out.csv")
    assert ended.status == 2
    assert "'tags' holds list<element: string>, which CSV has no place for" in ended.err
    assert batch("ride", "in.parquet", "--output", "out.csv", "--keep", "ride_id").status == 0


def test_large_row_groups_are_cut(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by the slice also where a file has one row group; texts that Arrow reads as
    codes are joined over its batches."""
    write_rides(tmp_path / "in.parquet", 100, group=60)
    assert batch("ride", "in.parquet", "--output", "whole").status == 0
    monkeypatch.setattr(parquet, "SLICE_ROWS", 17)
    assert batch(*BASE).status == 0
    assert scored(tmp_path / "out") == scored(tmp_path / "whole")
    parts = report(tmp_path / "out")["output"]["parts"]
    assert [part["rows"] for part in parts] == [17, 17, 17, 9, 17, 17, 6]
    assert [part["first"] for part in parts] == [1, 18, 35, 52, 61, 78, 95]


def test_an_unfinished_run_is_not_gone_on_with_by_another(batch: Batch, tmp_path: Path) -> None:
    """It is finished with its own words, or thrown away."""
    write_rides(tmp_path / "in.parquet", 20, trip_distance=[*[1.0] * 19, -1.0])
    assert batch(*BASE, "--strict").status == 3
    ended = batch(*BASE, "--keep", "none", "--max-rejected", "1")
    assert ended.status == 2
    assert "holds an unfinished run with other options" in ended.err
    assert "--restart" in ended.err
    assert batch(*BASE, "--keep", "none", "--max-rejected", "1", "--restart").status == 0
    assert "ride_id" not in scored(tmp_path / "out")[0]


def _lines(path: Path, values: list[Any]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def test_json_lines_that_arrow_reads_otherwise_are_read_one_by_one(
    batch: Batch, tmp_path: Path
) -> None:
    """One NaN, which no JSON has, is one row refused; what the others carry along stays."""
    ride = {"PULocationID": 10, "DOLocationID": 50}
    values = [{**ride, "trip_distance": x, "id": n} for n, x in enumerate((1.0, float("nan"), 2.0))]
    _lines(tmp_path / "in.jsonl", values)
    ended = batch("ride", "in.jsonl", "--output", "out.parquet", "--max-rejected", "1")
    assert ended.status == 0, ended.err
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [0, 2]
    [rejected] = (tmp_path / "out.parquet.run" / "rejected").glob("*.jsonl")
    [line] = rejected.read_text().splitlines()
    assert json.loads(line)["row"] == 2
    chosen = batch("ride", "in.jsonl", "--output", "some.jsonl", "--where", "id > 1")
    assert chosen.status == 0, chosen.err
    [only] = (tmp_path / "some.jsonl").read_text().splitlines()
    assert json.loads(only)["id"] == 2


def test_json_lines_whose_values_change_their_type(batch: Batch, tmp_path: Path) -> None:
    """A table's column has one type; JSON lines carry each value as it is."""
    ride = {"PULocationID": 10, "DOLocationID": 50, "trip_distance": 1.0}
    values = [*({**ride, "id": n} for n in range(1000)), {**ride, "id": "x"}]
    _lines(tmp_path / "in.jsonl", values)
    ended = batch("ride", "in.jsonl", "--output", "out.parquet")
    assert ended.status == 1
    assert "the values of 'id' are not all int64, as the first ones are" in ended.err
    assert batch("ride", "in.jsonl", "--output", "out.jsonl").status == 0
    last = (tmp_path / "out.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["id"] == "x"
