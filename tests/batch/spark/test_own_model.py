"""A model of several classes, with fields that may be null, whose file is a folder's of MODEL_CODE:
executors have neither the folder nor scikit-learn."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batch.errors import BatchError
from batch.spark import bundle
from tests.batch.conftest import Ended
from tests.batch.own_model import penguins, write_artifact, write_code
from tests.batch.spark.conftest import Cluster
from tests.batch.spark.support import bare_python, prepared
from tests.batch.spark.test_cluster import content, parts, report
from tests.batch.spark.test_executor import tasks
from tests.support import ROOT, wait_for

Batch = Callable[..., Ended]

_ALONE = """
import pickle, sys
from pathlib import Path
import pyarrow as pa
payload = pickle.loads(Path(sys.argv[1]).read_bytes())
from batch.spark.executor import work
asked = pa.record_batch({"id": pa.array(range(len(payload.units)))})
print(sum(made.num_rows for made in work(payload, iter([asked]))))
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the model's artifact; MODEL_CODE names that of its file."""
    monkeypatch.setenv("MODEL_CODE", str(write_code(tmp_path / "code")))
    write_artifact(tmp_path / "own")
    return tmp_path / "own"


def written(tmp_path: Path, files: int, rows: int, group: int) -> None:
    """Write files of penguins."""
    (tmp_path / "in").mkdir()
    for number in range(files):
        path = tmp_path / "in" / f"{number:02}.parquet"
        pq.write_table(penguins(rows), path, row_group_size=group)


@pytest.mark.slow
def test_the_zip_has_the_model_file_among_ours(models: Path, tmp_path: Path) -> None:
    """Where it is a module of `scoring.models`, as it is here; of two folders the first counts."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "ride.py").write_text("# another ride\n")
    (other / "penguin.py").write_text("# the second one\n")
    os.environ["MODEL_CODE"] += f":{other}"
    made = zipfile.ZipFile(bundle.make(tmp_path / "dist"))
    own = (tmp_path / "code" / "penguin.py").read_bytes()
    assert made.read("scoring/models/penguin.py") == own
    assert made.read("scoring/models/ride.py") == b"# another ride\n"
    assert len(made.namelist()) == len({*made.namelist()})


@pytest.mark.slow
def test_make_spark_bundle_says_which_folder_is_not_there(tmp_path: Path) -> None:
    """In a line."""
    done = subprocess.run(
        [sys.executable, "-m", "batch.spark.bundle", tmp_path], cwd=ROOT, capture_output=True,
        text=True, check=False, env={**os.environ, "MODEL_CODE": "/no/such/folder"},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "spark-bundle: MODEL_CODE names /no/such/folder, which is not a folder\n"
    )


@pytest.mark.slow
def test_an_executor_needs_the_zip_alone(
    batch: Batch, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever MODEL_CODE is there: a folder of the driver's is none of its own."""
    monkeypatch.setenv("MODELS_DIR", str(models))
    written(tmp_path, 1, 300, 100)
    assert batch("penguin", "in", "--output", "one").status == 0
    _, payload = prepared(models, "penguin", "in", "--output", "out")
    (tmp_path / "payload").write_bytes(pickle.dumps(payload))
    done = subprocess.run(
        [bare_python(tmp_path / "bare", sys.executable), "-c", _ALONE, tmp_path / "payload"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(bundle.make(tmp_path / "dist")),
            "MODEL_CODE": "/no/such/folder",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    for kind in ("part-*.parquet", "rejected/part-*.jsonl"):
        once = {path.name: path.read_bytes() for path in (tmp_path / "one").glob(kind)}
        again = (tmp_path / "out" / "_unfinished").glob(kind)
        assert once
        assert {path.name: path.read_bytes() for path in again} == once


@pytest.mark.slow
def test_an_executor_without_the_model_says_so(
    batch: Batch, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip that was made where MODEL_CODE was not set."""
    written(tmp_path, 1, 30, 30)
    _, payload = prepared(models, "penguin", "in", "--output", "out")
    monkeypatch.delenv("MODEL_CODE")
    with pytest.raises(BatchError, match="an executor has no model 'penguin': make the zip of"):
        tasks(payload)


@pytest.mark.slow
@pytest.mark.spark
def test_a_worker_that_is_killed_changes_nothing(
    cluster: Cluster, batch: Batch, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes and rejected rows are those of one machine, to the byte."""
    monkeypatch.setenv("MODELS_DIR", str(models))
    written(tmp_path, 16, 20_000, 5000)
    words: list[str | Path] = ["penguin", "in"]
    assert batch(*words, "--output", tmp_path / "one").status == 0
    run = cluster.run(models, *words, "--output", tmp_path / "spark",
                      MODEL_CODE=os.environ["MODEL_CODE"])  # fmt: skip
    wait_for(lambda: run.poll() is not None or parts(tmp_path / "spark"), "a part", timeout_s=300)
    done = parts(tmp_path / "spark")
    cluster.kill(cluster.processes[-1])
    cluster.start_worker()  # for the tests that follow
    _, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert 0 < done < 64
    assert content(tmp_path / "spark") == content(tmp_path / "one")
    assert report(tmp_path / "spark") == report(tmp_path / "one")
