"""What goes wrong around a run ends it with one line that names it, and publishes nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.batch.conftest import Ended
from tests.batch.support import rides, scored, write_rides
from tests.support import ROOT

Batch = Callable[..., Ended]


def published(folder: Path) -> dict[str, str]:
    """Return each published part's digest."""
    parts = sorted(folder.glob("part-*"))
    return {part.name: hashlib.sha256(part.read_bytes()).hexdigest() for part in parts}


@pytest.mark.parametrize("keep", [0.5, 0.999, 0.01])
def test_a_parquet_file_that_was_cut_is_named(batch: Batch, tmp_path: Path, keep: float) -> None:
    """An upload that broke off: the file has no footer, or a part of one."""
    whole = write_rides(tmp_path / "whole.parquet", 5_000).read_bytes()
    cut = tmp_path / "in" / "cut.parquet"
    cut.parent.mkdir()
    cut.write_bytes(whole[: int(len(whole) * keep)])
    ended = batch("ride", "in", "--output", "out")
    assert ended.status == 1
    assert "in/cut.parquet" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert published(tmp_path / "out") == {}


def test_a_parquet_file_with_broken_pages_is_named(batch: Batch, tmp_path: Path) -> None:
    """The footer can be read; what it describes cannot."""
    path = write_rides(tmp_path / "in" / "broken.parquet", 5_000)
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(bytes(data))
    ended = batch("ride", "in", "--output", "out")
    assert ended.status == 1
    assert "in/broken.parquet" in ended.err
    assert "Traceback" not in ended.err
    assert published(tmp_path / "out") == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ride", "nowhere.parquet"], "there is no file nowhere.parquet"),
        (["ride", "in", "--where", "trip_distance"], "--where takes 'COLUMN OP VALUE'"),
        (["ride", "in", "--where", "trip_distance > far"], "which is no double"),
        (["ride", "in", "--where", "tripdistance > 1"], "tripdistance"),
        (["ride", "in", "in/a.parquet"], "is named twice"),
        (["ride", "in", "--keep", "no_such_column"], "no_such_column"),
        (["ride", "in/notes.docx"], "is of no kind that is read"),
        (["ride", "warehouse://lake/rides/"], "warehouse:// is not known here"),
        (["rides", "in"], "rides"),
        (["ride", "-"], "standard input is neither a file nor a folder"),
        (["ride", "in/pipe.csv"], "in/pipe.csv is neither a file nor a folder"),
        (["ride", "in/a.parquet.gz"], "is compressed as a whole, and Parquet is not"),
        (["ride", "in/none.jsonl"], "in/none.jsonl is empty; JSON objects are expected"),
        (["ride", "in/none.csv"], "in/none.csv is empty; a line of column names is expected"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_said_before_any_work(
    batch: Batch, tmp_path: Path, words: list[str], said: str
) -> None:
    """With status 2 and the words that were given."""
    write_rides(tmp_path / "in" / "a.parquet", 10)
    (tmp_path / "in" / "notes.docx").write_bytes(b"PK")
    if not words[1].startswith("in/a") and words[1] != "in":
        os.mkfifo(tmp_path / "in" / "pipe.csv")
    for name in ("a.parquet.gz", "none.jsonl", "none.csv"):
        if f"in/{name}" in words:
            (tmp_path / "in" / name).write_bytes(b"")
    ended = batch(*words, "--output", "out")
    assert ended.status == 2, ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert published(tmp_path / "out") == {}


def test_a_column_with_almost_the_right_name_is_named(batch: Batch, tmp_path: Path) -> None:
    """Before an hour of work, with the column that was probably meant."""
    table = rides(10).rename_columns(["PULocationId", "DOLocationID", "trip_distance", "ride_id"])
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "a.parquet")
    ended = batch("ride", "in", "--output", "out")
    assert ended.status == 2
    assert "'PULocationID' is missing" in ended.err
    assert "was the column 'PULocationId' meant? --fold-names takes" in ended.err
    assert published(tmp_path / "out") == {}


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_the_same_command_goes_on(
    batch: Batch, tmp_path: Path, models_dir: Path
) -> None:
    """No part is larger than the disk lets it be; afterwards the result is that of a run that had
    room enough."""
    write_rides(tmp_path / "in" / "a.parquet", 60_000, group=20_000)
    assert batch("ride", "in", "--output", "undisturbed").status == 0
    words = [sys.executable, "-m", "batch", "ride", "in", "--output", "out"]
    # files of at most so many KiB: to the process it looks as a full disk does
    limited = ["bash", "-c", 'ulimit -f 64; exec "$@"', "batch", *words]
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'web-service'}", "MODELS_DIR": str(models_dir)}
    done = subprocess.run(
        limited, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", **paths}, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert "the same command goes on" in done.stderr
    assert "Traceback" not in done.stderr
    assert published(tmp_path / "out") == {}
    assert batch("ride", "in", "--output", "out").status == 0
    assert published(tmp_path / "out") == published(tmp_path / "undisturbed")


@pytest.mark.parametrize("name", ["out.xlsx", "out.tsv", "out.json.gz", "OUT.ZIP"])
def test_a_kind_of_file_that_is_not_written_is_refused(
    batch: Batch, tmp_path: Path, name: str
) -> None:
    """A folder of that name would surprise, and so would commas in a .tsv."""
    write_rides(tmp_path / "a.parquet", 10)
    ended = batch("ride", "a.parquet", "--output", name)
    assert ended.status == 2
    assert f"{name}: a file ending in" in ended.err
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("option", ["--log", "--metrics-file"])
def test_a_file_that_cannot_be_written_is_said_before_any_work(
    batch: Batch, tmp_path: Path, option: str
) -> None:
    """Not after it."""
    write_rides(tmp_path / "a.parquet", 10)
    (tmp_path / "taken").write_text("")
    ended = batch("ride", "a.parquet", "--output", "out", option, "taken/file")
    assert ended.status == 1
    assert "taken/file cannot be written: " in ended.err
    ended = batch("ride", "a.parquet", "--output", "out", option, tmp_path)
    assert (ended.status, "it is a folder" in ended.err) == (1, True)
    assert not list((tmp_path / "out").glob("_unfinished/ledger/*"))


@pytest.mark.slow
def test_files_without_a_byte_in_a_folder_are_no_input(batch: Batch, tmp_path: Path) -> None:
    """Spark writes them for parts without rows."""
    write_rides(tmp_path / "in" / "a.parquet", 10)
    for name in ("b.csv", "c.jsonl", "d.parquet"):
        (tmp_path / "in" / name).write_bytes(b"")
    assert batch("ride", "in", "--output", "out").status == 0
    assert len(scored(tmp_path / "out")) == 10
