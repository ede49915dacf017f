"""Runs on a real standalone cluster: a driver, a master, two workers of one core each."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batch.spark.bundle import make
from tests.batch.conftest import Ended
from tests.batch.spark.conftest import Cluster
from tests.batch.support import write_rides
from tests.support import ROOT, wait_for

pytestmark = pytest.mark.slow

Batch = Callable[..., Ended]
Spark = Callable[..., tuple[int, str, str]]


def content(folder: Path) -> dict[str, bytes]:
    """Return what a finished run published, but for its report."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(n): path.read_bytes() for n, path in files.items() if n.name != "run.json"}


def report(folder: Path) -> dict[str, Any]:
    """Return what a run says of itself, without what differs from run to run."""
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    moving = ("seconds", "finished", "engine", "resumed_parts")
    return {key: value for key, value in found.items() if key not in moving}


def many(tmp_path: Path, count: int) -> list[Path]:
    """Write files of rides, every hundredth of them not valid, and return their paths."""
    distances = [-1.0 if place % 100 == 7 else place % 97 * 0.25 for place in range(20_000)]
    return [
        write_rides(tmp_path / "in" / f"{n:02}.parquet", 20_000, group=5000,
                    trip_distance=distances)
        for n in range(count)
    ]  # fmt: skip


def parts(folder: Path) -> int:
    """Return how many parts of an unfinished run are done."""
    return len(list((folder / "_unfinished" / "ledger").glob("*.json")))


def test_a_cluster_writes_what_one_machine_writes(
    spark: Spark, batch: Batch, tmp_path: Path
) -> None:
    """Parquet and CSV, rejected rows and lineage, to the byte; executors without scikit-learn,
    MLflow and pandas. A finished run is not done again."""
    lines = [f"{1 + n % 60},{n % 50},{n % 120}.5" for n in range(3000)]
    table = tmp_path / "b.csv"
    table.write_text("PULocationID,DOLocationID,trip_distance\n" + "\n".join(lines) + "\n")
    words = ["ride", *many(tmp_path, 3), table]
    code, _, err = spark(*words, "--output", tmp_path / "spark")
    assert code == 0, err
    assert batch(*words, "--output", tmp_path / "one").status == 0
    assert content(tmp_path / "spark") == content(tmp_path / "one")
    assert report(tmp_path / "spark") == report(tmp_path / "one")
    engine = json.loads((tmp_path / "spark" / "run.json").read_text())["engine"]
    assert (engine["name"], engine["version"]) == ("spark", "4.3.0")
    code, out, _ = spark(*words, "--output", tmp_path / "spark")
    assert (code, out.startswith("nothing to do")) == (0, True)


@pytest.mark.spark
def test_a_worker_that_is_killed_changes_nothing(
    cluster: Cluster, batch: Batch, models_dir: Path, tmp_path: Path
) -> None:
    """With executors and all, in the middle of a run, speculation on: the others do its tasks."""
    words: list[str | Path] = ["ride", *many(tmp_path, 16)]
    assert batch(*words, "--output", tmp_path / "one").status == 0
    run = cluster.run(models_dir, *words, "--output", tmp_path / "spark")
    wait_for(lambda: run.poll() is not None or parts(tmp_path / "spark"), "a part", timeout_s=300)
    done = parts(tmp_path / "spark")
    cluster.kill(cluster.processes[-1])
    cluster.start_worker()  # for the tests that follow
    _, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert 0 < done < 64
    assert content(tmp_path / "spark") == content(tmp_path / "one")
    assert report(tmp_path / "spark") == report(tmp_path / "one")


@pytest.mark.spark
def test_a_stopped_run_goes_on_on_one_machine(
    cluster: Cluster, batch: Batch, models_dir: Path, tmp_path: Path
) -> None:
    """A signal ends it with the parts that are done; the same words without Spark do the others,
    and a second run meanwhile finds the place taken."""
    words: list[str | Path] = ["ride", *many(tmp_path, 60)]
    run = cluster.run(models_dir, *words, "--output", tmp_path / "out")
    wait_for(lambda: run.poll() is not None or parts(tmp_path / "out"), "a part", timeout_s=300)
    ended = batch(*words, "--output", tmp_path / "out")
    assert (ended.status, f"process {run.pid} on" in ended.err) == (2, True)
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=300)
    assert run.returncode == 1, err
    assert "the same command goes on" in err
    assert batch(*words, "--output", tmp_path / "out").status == 0
    assert json.loads((tmp_path / "out" / "run.json").read_text())["resumed_parts"] > 0
    assert batch(*words, "--output", tmp_path / "one").status == 0
    assert content(tmp_path / "out") == content(tmp_path / "one")


@pytest.mark.spark  # Spark tries it four times
def test_what_a_task_cannot_read_ends_the_run_in_its_words(spark: Spark, tmp_path: Path) -> None:
    """Status and sentence are those of one machine, and nothing is published."""
    lines = b"74,75,1.0,x\n" * 800_000 + b"74,75,1.0,\xe9\n"  # the last is in the second block
    (tmp_path / "a.csv").write_bytes(b"PULocationID,DOLocationID,trip_distance,zone\n" + lines)
    code, _, err = spark("ride", tmp_path / "a.csv", "--output", tmp_path / "out")
    assert code == 2
    assert "is not UTF-8: byte" in err
    assert not (tmp_path / "out" / "_SUCCESS").exists()


@pytest.mark.spark
def test_spark_submit_of_one_file(
    cluster: Cluster, batch: Batch, models_dir: Path, tmp_path: Path
) -> None:
    """With the bundle and nothing else of ours, from another folder, to one CSV file."""
    many(tmp_path, 2)
    program = tmp_path / "submit.py"
    program.write_bytes((ROOT / "batch" / "spark" / "submit.py").read_bytes())
    words = ["ride", "in", "--output", "out.csv", "--keep", "ride_id"]
    done = subprocess.run(
        [cluster.home / "bin" / "spark-submit", "--master", cluster.master,
         "--py-files", make(tmp_path / "dist"), program, *words],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
        env={**cluster.environment, "MODELS_DIR": str(models_dir)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert report(tmp_path / "out.csv.run")["totals"]["rows"] == 40_000
    assert batch("ride", "in", "--output", "one.csv", "--keep", "ride_id").status == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
