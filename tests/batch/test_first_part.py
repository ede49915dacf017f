"""A run's first part is a small one: it is there soon, and whether it is right can be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from batch.inputs import parquet, text
from batch.inputs.files import find
from batch.job import Account
from batch.spark.units import Unit, units
from tests.batch.conftest import Ended
from tests.batch.spark.support import prepared
from tests.batch.support import report, scored, write_rides

Batch = Callable[..., Ended]


def test_of_a_parquet_file(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off the first row group of the first file, and off no other one."""
    write_rides(tmp_path / "a.parquet", 100, group=60)
    write_rides(tmp_path / "b.parquet", 50)
    assert batch("ride", "a.parquet", "b.parquet", "--output", "whole").status == 0
    monkeypatch.setattr(parquet, "FIRST_ROWS", 20)
    assert batch("ride", "a.parquet", "b.parquet", "--output", "out").status == 0
    parts = report(tmp_path / "out")["output"]["parts"]
    assert [(part["rows"], part["first"]) for part in parts] == [
        (20, 1),
        (40, 21),
        (40, 61),
        (50, 1),
    ]
    assert scored(tmp_path / "out") == scored(tmp_path / "whole")


def test_what_is_done_is_not_cut_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slices that a resumed run does are those that the first one had left."""
    monkeypatch.setattr(parquet, "FIRST_ROWS", 20)
    [source] = find([str(write_rides(tmp_path / "a.parquet", 100, group=60))])
    columns = ["trip_distance", "ride_id"]
    [first, *others] = parquet.slices(source, columns, begins=True)
    assert first.batch.num_rows == 20
    assert list(parquet.slices(source, columns, begins=True, done=[0])) == others
    assert list(parquet.slices(source, columns, begins=True, done=[1, 2])) == [first]


def test_of_text(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise; of JSON lines the columns are still those of a large block."""
    monkeypatch.setattr(text, "FIRST_BYTES", 320)
    lines = [
        f'{{"PULocationID": {n % 9 + 1}, "DOLocationID": 7, "trip_distance": 2}}' for n in range(90)
    ]
    lines[80] = lines[80][:-1] + ', "note": "late"}'
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("\n".join(lines))
    ended = batch("ride", "a.jsonl", "b.jsonl", "--output", "out", "--format", "parquet")
    assert ended.status == 0, ended.err
    assert [part["rows"] for part in report(tmp_path / "out")["output"]["parts"]] == [5, 85, 90]
    assert scored(tmp_path / "out")[80]["note"] == "late"


def test_spark_counts_it(tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first row group two parts are to do, of another one of as many rows one is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parquet, "FIRST_ROWS", 20)
    monkeypatch.setattr(parquet, "SLICE_ROWS", 60)
    write_rides(tmp_path / "a.parquet", 120, group=60)
    job, _ = prepared(models_dir, "ride", "a.parquet", "--output", "out")
    account = Account(job, threading.Event())
    account.done |= {"part-00000-00000": {}, "part-00000-00002": {}}
    assert units(job, account) == [Unit(0, (0,))]
    account.done |= {"part-00000-00001": {}}
    assert units(job, account) == []
