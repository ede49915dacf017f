"""`--where`: the rows that are scored at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from batch.errors import UsageError
from batch.where import condition
from tests.batch.conftest import Ended
from tests.batch.support import scored, write_rides

Batch = Callable[..., Ended]

TABLE = pa.record_batch(
    {
        "miles": pa.array([1.0, None, 3.0, 2.0]),
        "zone": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("miles > 1", [2, 3]), ("miles>=1", [0, 2, 3]), ("miles < 2", [0]), ("miles <= 2", [0, 3]),
        ("miles = 2", [3]), ("miles == 2.0", [3]), ("miles != 2", [0, 2]),
        ("zone = a", [0, 3]), ("zone != 'a'", [1]), ('"zone" = "b"', [1]), ("zone = c", []),
    ],
)  # fmt: skip
def test_rows_that_fulfil_it(text: str, rows: list[int]) -> None:
    """A missing value fulfils nothing."""
    assert condition(text).rows(TABLE).tolist() == rows


@pytest.mark.parametrize("text", ["", "miles", "> 2", "miles ~ 2"])
def test_what_cannot_be_read_is_shown_an_example(text: str) -> None:
    """Of what is taken."""
    with pytest.raises(UsageError, match=r"--where takes 'COLUMN OP VALUE' \(trip_distance > 2\)"):
        condition(text)


@pytest.mark.slow
def test_row_groups_are_skipped_by_their_statistics(batch: Batch, tmp_path: Path) -> None:
    """The parts are those of the row groups that may hold such rows, and no row is lost."""
    distances = [float(n // 1000) for n in range(3000)]
    write_rides(tmp_path / "a.parquet", 3000, group=1000, trip_distance=distances)
    ended = batch("ride", "a.parquet", "--output", "out", "--where", "trip_distance >= 2")
    assert ended.status == 0, ended.err
    assert [path.name for path in (tmp_path / "out").glob("part-*")] == ["part-00000-00002.parquet"]
    assert [row["ride_id"] for row in scored(tmp_path / "out")] == [
        f"r{n}" for n in range(2000, 3000)
    ]


def test_a_column_of_the_folders_may_be_asked_for(batch: Batch, tmp_path: Path) -> None:
    """Whole numbers as such, others as text."""
    for year, kind in ((2020, "x"), (2021, "y")):
        write_rides(tmp_path / "in" / f"year={year}" / f"kind={kind}" / "a.parquet", 5)
    assert batch("ride", "in", "--output", "a", "--where", "year > 2020").status == 0
    assert {row["year"] for row in scored(tmp_path / "a")} == {2021}
    assert batch("ride", "in", "--output", "b", "--where", "kind = x").status == 0
    assert {row["kind"] for row in scored(tmp_path / "b")} == {"x"}


@pytest.mark.slow
def test_a_try_takes_some_rows(batch: Batch, tmp_path: Path) -> None:
    """--where by a column, --limit the first of them; numbers of rejected rows stay the file's."""
    write_rides(tmp_path / "a.parquet", 3000, group=500, trip_distance=[*range(2999), -1.0])
    words = ("ride", "a.parquet", "--output", "out", "--where", "trip_distance >= 40")
    assert batch(*words, "--limit", "700").status == 0
    rows = scored(tmp_path / "out")
    assert [row["trip_distance"] for row in rows] == list(range(40, 101))
    told = (tmp_path / "out/rejected").glob("*.jsonl")
    numbers = [json.loads(line)["row"] for path in told for line in path.read_text().splitlines()]
    assert sorted(numbers) == list(range(102, 741))
