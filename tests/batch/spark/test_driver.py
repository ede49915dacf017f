"""What the driver decides without Spark: units of work, refusals, the words of an error."""

from __future__ import annotations

import importlib.util
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from batch.errors import BatchError, TooManyRejectedError, UsageError
from batch.job import Account
from batch.spark import bundle, engine
from batch.spark.units import Unit, units
from tests.batch.conftest import Ended
from tests.batch.spark.support import prepared
from tests.batch.support import RIDE, write_rides
from tests.support import write_artifact

Batch = Callable[..., Ended]


def with_pyspark(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    """Let it seem that pyspark is installed, or is not."""
    real = importlib.util.find_spec

    def find_spec(name: str, *more: Any) -> Any:
        return (there or None) if name == "pyspark" else real(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.mark.slow
def test_without_pyspark_it_is_said_where_to_have_it(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 2, and nothing is written."""
    with_pyspark(monkeypatch, there=False)
    write_rides(tmp_path / "a.parquet", 10)
    ended = batch("ride", "a.parquet", "--output", "out", "--engine", "spark")
    assert ended.status == 2
    assert "--engine spark needs pyspark, the Pipfile's group spark" in ended.err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*"))


@pytest.mark.slow
def test_a_model_without_a_compiled_form_stays_on_one_machine(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executors have no scikit-learn; the sentence says what to do."""
    with_pyspark(monkeypatch, there=True)
    pair = make_pipeline(MaxAbsScaler(), RandomForestRegressor(3, random_state=1))
    write_artifact(RIDE, tmp_path / "models", pair)
    write_rides(tmp_path / "a.parquet", 10)
    words = ("ride", "a.parquet", "--output", "out", "--model", tmp_path / "models" / "ride")
    ended = batch(*words, "--engine", "spark")
    assert ended.status == 2
    assert "has no compiled form, and executors have no scikit-learn" in ended.err
    assert batch(*words).status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--master", "local[2]"], "--master is for --engine spark"),
        (["--engine", "spark", "--workers", "2"], "--workers is for one machine"),
        (["--engine", "spark", "--limit", "5"], "--limit is for a try on one machine"),
    ],
)
def test_options_that_do_not_fit_the_engine(batch: Batch, words: list[str], said: str) -> None:
    """Status 2, before anything is read."""
    ended = batch("ride", "a.parquet", "--output", "out", *words)
    assert (ended.status, said in ended.err) == (2, True)


@pytest.mark.slow
def test_a_task_is_given_a_parts_rows(
    batch: Batch, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small row groups together, a large one alone, a text file whole; what is done is left out."""
    monkeypatch.setattr("batch.inputs.parquet.SLICE_ROWS", 1000)
    write_rides(tmp_path / "small.parquet", 1100, group=300)
    write_rides(tmp_path / "large.parquet", 5000, group=2500)
    write_rides(tmp_path / "none.parquet", 0)
    (tmp_path / "a.csv").write_text("PULocationID,DOLocationID,trip_distance\n1,2,3\n")
    names = ["small.parquet", "large.parquet", "none.parquet", "a.csv"]
    job, _ = prepared(models_dir, "ride", *names, "--output", "out")
    account = Account(job, threading.Event())
    every = [Unit(0, (0, 1, 2)), Unit(0, (3,)), Unit(1, (0,)), Unit(1, (1,)), Unit(3, None)]
    assert units(job, account) == every
    done = ["part-00000-00001", "part-00001-00000", "part-00001-00001", "part-00001-00003"]
    account.done |= {name: {} for name in done}
    assert units(job, account) == [
        Unit(0, (0, 2, 3)), Unit(1, (0,)), Unit(1, (1,)), Unit(3, None)
    ]  # fmt: skip
    account.done["part-00001-00002"] = {}
    assert Unit(1, (0,)) not in units(job, account)


@pytest.mark.parametrize(
    ("last", "kind", "said"),
    [
        ("batch.errors.UsageError: a.csv is not UTF-8", UsageError, "a.csv is not UTF-8"),
        ("ArithmeticError: gave no finite number", BatchError, "gave no finite number"),
        ("OSError: [Errno 28] No space", BatchError,
         "a task failed: OSError: [Errno 28] No space; what is done is kept"),
        ("java.lang.Exception", BatchError, "Spark gave up: An error occurred; what is done"),
    ],
)  # fmt: skip
def test_a_tasks_error_is_told_in_its_own_words(
    last: str, kind: type[BatchError], said: str
) -> None:
    """And a line of Spark's where there is no other."""
    text = f"An error occurred\nTraceback (most recent call last):\n  File x\n{last}\n\tat a.b.C"
    told = engine._told(Exception(text))
    assert type(told) is kind
    assert said in str(told)
    assert not isinstance(told, TooManyRejectedError)


@pytest.mark.slow
def test_the_bundle_is_the_same_each_time(tmp_path: Path) -> None:
    """Our packages with the files beside them, and no compiled Python."""
    path = bundle.make(tmp_path / "a")
    names = zipfile.ZipFile(path).namelist()
    assert {"batch/__main__.py", "scoring/lookups/taxi_zones.csv"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    assert bundle.make(tmp_path / "b").read_bytes() == path.read_bytes()
