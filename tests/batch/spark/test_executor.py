"""A task in this process: what it writes is what one machine writes, whichever attempt it is."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from batch.errors import BatchError
from batch.spark import executor
from batch.spark.bundle import make
from batch.spark.executor import Payload, work
from tests.batch.conftest import Ended
from tests.batch.spark.support import bare_python, prepared
from tests.batch.support import write_rides

Batch = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Give Arrow its threads back, of which a task takes one; forget the last job."""
    count = pa.cpu_count()
    yield
    pa.set_cpu_count(count)
    executor._jobs.clear()


def tasks(payload: Payload) -> list[str]:
    """Do every unit of a payload as it arrives, and return the names of the parts."""
    sent: Payload = pickle.loads(pickle.dumps(payload))
    asked = pa.record_batch({"id": pa.array(range(len(sent.units)), pa.int64())})
    return [name for done in work(sent, iter([asked])) for name in done["name"].to_pylist()]


def files(folder: Path) -> dict[str, bytes]:
    """Return the parts, rejected rows and ledger of an unfinished run."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items()) if "part-" in name}


def inputs(tmp_path: Path) -> list[str]:
    """Write a Parquet file of several row groups, a CSV and JSON lines, each with bad rows."""
    distances = [-1.0 if place % 50 == 3 else place % 90 * 0.5 for place in range(400)]
    write_rides(tmp_path / "a.parquet", 400, group=100, trip_distance=distances)
    lines = [f"{1 + n % 60},{1 + n % 50},{n % 120}.5" for n in range(300)]
    (tmp_path / "b.csv").write_text(
        "PULocationID,DOLocationID,trip_distance\n" + "\n".join(lines) + "\n"
    )
    rows = [{"PULocationID": 1 + n % 60, "DOLocationID": n % 50, "trip_distance": 2.5}
            for n in range(200)]  # fmt: skip
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return ["a.parquet", "b.csv", "c.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("source", [0, 1, 2])
@pytest.mark.parametrize("more", [[], ["--explain", "--format", "csv"], ["--where",
                                  "trip_distance > 2"]])  # fmt: skip
def test_a_task_writes_what_one_machine_writes(
    batch: Batch, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch,
    source: int, more: list[str],
) -> None:  # fmt: skip
    """Parts, rejected rows and ledger, to the byte, from another working folder."""
    words = ["ride", inputs(tmp_path)[source], *more]
    assert batch(*words, "--output", "one").status == 0
    _, payload = prepared(models_dir, *words, "--output", "aside")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    names = tasks(payload)
    made = files(tmp_path / "aside" / "_unfinished")
    published = files(tmp_path / "one")
    assert published
    assert {name: data for name, data in made.items() if "ledger" not in name} == published
    assert [name for name in made if "ledger" in name] == [f"ledger/{n}.json" for n in names]


@pytest.mark.slow
def test_every_attempt_at_a_part_is_the_same(
    batch: Batch, tmp_path: Path, models_dir: Path
) -> None:
    """A second one takes the place of the first; no name is there twice."""
    _, payload = prepared(models_dir, "ride", *inputs(tmp_path), "--output", "out")
    names = tasks(payload)
    first = files(tmp_path / "out" / "_unfinished")
    assert tasks(dataclasses.replace(payload, key="another process")) == names
    assert files(tmp_path / "out" / "_unfinished") == first
    assert len(names) == len(set(names)) == 6


@pytest.mark.slow
def test_a_task_that_outlives_its_run_writes_nothing(
    batch: Batch, tmp_path: Path, models_dir: Path
) -> None:
    """Neither into the next run nor where none is any more."""
    job, payload = prepared(models_dir, "ride", *inputs(tmp_path), "--output", "out")
    job.staging.begin({"inputs": "others"})
    with pytest.raises(BatchError, match="is not that of this run"):
        tasks(payload)
    job.staging.discard()
    with pytest.raises(BatchError, match="is not that of this run"):
        tasks(payload)
    assert files(tmp_path / "out" / "_unfinished") == {}


@pytest.mark.slow
def test_an_executor_with_other_versions_is_refused(
    batch: Batch, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes would be others; both versions are named."""
    _, payload = prepared(models_dir, "ride", *inputs(tmp_path), "--output", "out")
    monkeypatch.setattr("numpy.__version__", "1.0")
    with pytest.raises(BatchError, match=r"an executor has numpy 1\.0 and the driver \d"):
        tasks(payload)


@pytest.mark.slow
def test_no_password_is_sent(
    batch: Batch, tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry's stays with the driver; the log's secret goes where a log is asked for."""
    secrets = {
        "MLFLOW_TRACKING_PASSWORD": "hunter2-registry",
        "PREDICTION_LOG_SECRET": "hunter2-of-the-log",
    }
    words = ["ride", *inputs(tmp_path), "--output", "out"]
    _, payload = prepared(models_dir, *words, **secrets)
    assert b"hunter2" not in pickle.dumps(payload)
    _, payload = prepared(models_dir, *words, "--log", str(tmp_path / "log"), **secrets)
    assert b"hunter2-registry" not in pickle.dumps(payload)
    assert b"hunter2-of-the-log" in pickle.dumps(payload)


ALONE = """
import pickle, sys
from pathlib import Path
import pyarrow as pa
payload = pickle.loads(Path(sys.argv[1]).read_bytes())
from batch.spark.executor import work
asked = pa.record_batch({"id": pa.array(range(len(payload.units)))})
print(sum(made.num_rows for made in work(payload, iter([asked]))))
for name in ("pandas", "sklearn", "mlflow", "tqdm", "requests", "prometheus_client"):
    assert name not in sys.modules
"""


@pytest.mark.slow
def test_an_executor_needs_few_packages(batch: Batch, tmp_path: Path, models_dir: Path) -> None:
    """pyarrow, numpy, and what reads records; our own come as the bundle, here and to Spark."""
    _, payload = prepared(models_dir, "ride", *inputs(tmp_path), "--output", "out")
    (tmp_path / "payload").write_bytes(pickle.dumps(payload))
    python = bare_python(tmp_path / "bare", sys.executable)
    done = subprocess.run(
        [python, "-c", ALONE, tmp_path / "payload"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(make(tmp_path / "dist"))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6\n"
