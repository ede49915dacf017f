"""Training leaves a trace in MLflow, and the registry's command line decides what serves."""

from __future__ import annotations

import csv
import dataclasses
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.models import discover
from tests.scoring.registry.mlflow_server import QUIET
from tests.support import ROOT, environment
from training.errors import TrainingError
from training.run import Options
from training.sample import CUSTOMERS

# MLflow and what it uses warn of many things at their import
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CHURN = discover()["churn"]


@dataclasses.dataclass
class Store:
    """An embedded store in a folder of its own, with MLflow's client."""

    folder: Path
    mlflow: Any

    @property
    def client(self) -> Any:
        return self.mlflow.MlflowClient()

    def train(self, *, register: bool = True, **options: Any) -> Any:
        from training.tracking.runs import train_tracked

        given = {"model": CHURN, "output": self.folder / "models", "log": lambda _line: None}
        return train_tracked(Options(**{**given, **options}), register=register)

    def runs(self) -> list[Any]:
        experiment = self.client.get_experiment_by_name("churn")
        return list(self.client.search_runs([experiment.experiment_id]))

    def versions(self) -> list[Any]:
        found = self.client.search_model_versions("name='churn'")
        return sorted(found, key=lambda version: int(version.version))

    def download(self, number: str) -> Path:
        uri = f"models:/churn/{number}"
        return Path(self.mlflow.artifacts.download_artifacts(artifact_uri=uri))

    def alias(self, name: str) -> str | None:
        found = self.client.get_registered_model("churn").aliases.get(name)
        return found and str(found)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two versions: 1 as good as it gets, 2 hardly better than the trivial model."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.chdir(folder)
        import mlflow

        found = Store(folder, mlflow)
        found.train()
        found.train(parameters={"C": 0.00001}, force=True)
        yield found


def command(*words: str) -> None:
    from training.registry import main

    main(words)


@pytest.mark.long
def test_a_run_tells_the_whole_story(store: Store) -> None:
    """Parameters, metrics, data, tags, plots, lock, manifest and predictions are in the run."""
    [*_, run] = store.runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("LogisticRegression-")
    assert run.data.params["C"] == "1.0"
    assert 0.7 < run.data.metrics["test_auc"] < 0.95
    assert run.data.metrics["baseline_test_auc"] == 0.5
    tags = run.data.tags
    names = {"model", "developer", "git_commit", "git_dirty", "data_name", "data_sha256", "python"}
    assert names | {"scikit-learn", "numpy", "mlflow"} <= set(tags)
    contexts = {entry.tags[0].value: entry.dataset for entry in run.inputs.dataset_inputs}
    assert set(contexts) == {"training", "validation", "test"}
    assert contexts["test"].digest == tags["data_sha256"][:32]
    files = {file.path for file in store.client.list_artifacts(run.info.run_id)}
    assert {"plots", MANIFEST, "environment", "sample_predictions.json"} <= files
    plots = {file.path for file in store.client.list_artifacts(run.info.run_id, "plots")}
    assert "plots/roc.png" in plots
    assert any(name.startswith("system/") for name in run.data.metrics)


def test_anyone_can_load_the_model(store: Store) -> None:
    """`mlflow.sklearn.load_model` returns one Pipeline that takes features and answers as ours."""
    pipeline = store.mlflow.sklearn.load_model("models:/churn/1")
    manifest = json.loads((store.download("1") / MANIFEST).read_text())
    golden = manifest["golden"][0]
    features = CHURN.features(CHURN.record.model_validate(golden["record"]))
    [[_, probability]] = pipeline.predict_proba([features])
    assert probability == pytest.approx(golden["answer"]["churn_probability"])
    info = store.mlflow.models.get_model_info("models:/churn/1")
    assert info.signature is not None
    assert info.saved_input_example_info is not None


def test_a_version_carries_its_story(store: Store) -> None:
    """Its tags hold the metrics, the data's digest, the commit and the parent."""
    first, second = store.versions()[:2]
    assert {"test_auc", "data_sha256", "git_commit", "artifact_sha256", "manifest_sha256"} <= set(
        first.tags
    )
    assert first.tags["parent"] == second.tags["parent"] == "none"
    assert float(second.tags["test_auc"]) < float(first.tags["test_auc"])


def test_a_run_that_fails_leaves_no_version(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Bad data, a break half-way through the logging, a model without a signature: FAILED, all."""
    before = len(store.versions())
    with pytest.raises(TrainingError, match="no file"):
        store.train(data=[tmp_path / "gone.csv"])

    def broken(*_: Any, **__: Any) -> None:
        raise store.mlflow.MlflowException("the disk of the server is full")

    with monkeypatch.context() as patch:
        patch.setattr("training.tracking.runs.mlflow.log_metrics", broken)
        with pytest.raises(TrainingError, match="disk of the server is full"):
            store.train()
    logs = store.mlflow.sklearn.log_model

    def without_signature(*words: Any, **given: Any) -> Any:
        info = logs(*words, **given)
        info._signature = None
        return info

    with monkeypatch.context() as patch:
        patch.setattr("training.tracking.runs.mlflow.sklearn.log_model", without_signature)
        with pytest.raises(TrainingError, match="no signature"):
            store.train()
    assert [run.info.status for run in store.runs()[:3]] == ["FAILED"] * 3
    assert len(store.versions()) == before


def test_track_alone_registers_nothing(store: Store) -> None:
    """--track logs a run and leaves the registry as it was."""
    before = len(store.versions())
    store.train(register=False)
    assert store.runs()[0].info.status == "FINISHED"
    assert len(store.versions()) == before


def test_promote_compares_and_rollback_restores(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worse candidate is refused and can be forced, which is recorded; one call takes it back;
    the history says who, when and why."""
    for alias in ("champion", "previous"):
        store.client.delete_registered_model_alias("churn", alias)
    command("promote", "churn", "1", "--why", "the first")
    assert (store.alias("champion"), store.alias("production")) == ("1", "1")
    with pytest.raises(SystemExit, match="^3$"):
        command("promote", "churn", "2")
    assert re.search(r"its auc is .* worse by .*--force", capsys.readouterr().err)
    assert store.alias("champion") == "1"
    command("promote", "churn", "2", "--force", "--why", "a drill")
    assert (store.alias("champion"), store.alias("previous")) == ("2", "1")
    command("rollback", "churn", "--why", "drill over")
    assert (store.alias("champion"), store.alias("previous")) == ("1", "2")
    capsys.readouterr()
    command("history", "churn")
    first, forced, back = capsys.readouterr().out.splitlines()[-3:]
    assert "the first (auc" in first
    assert forced.endswith("FORCED")
    assert "rollback" in back
    assert "drill over" in back
    command("list", "churn")
    listed = capsys.readouterr().out
    assert "champion, production" in listed
    assert "staging" in listed


def test_an_archived_version_is_promoted_by_force_only(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The champion itself cannot be archived."""
    if store.alias("champion") != "1":
        command("promote", "churn", "1", "--force")
    with pytest.raises(SystemExit, match="is the champion"):
        command("archive", "churn", "1")
    command("archive", "churn", "2", "--why", "biased")
    assert store.alias("archived") == "2"
    with pytest.raises(SystemExit, match="^3$"):
        command("promote", "churn", "2", "--margin", "100")
    assert re.search(r"is archived: .*biased", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["promote", "churn", "99"], "no version 99"),
        (["promote", "churn", "x"], "no version x"),
        (["list", "ride"], "train.py ride --register"),
        (["rollback", "ride"], "train.py ride --register"),
        (["promote", "churn", "2", "--force", "--data", "gone.csv"], "no file gone.csv"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("store")
def test_a_mistake_is_answered_with_one_line(words: list[str], reason: str) -> None:
    """No traceback, and what to do."""
    with pytest.raises(SystemExit, match=reason):
        command(*words)


def test_other_held_out_rows_can_be_named(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--data scores both on rows of one's own."""
    with CUSTOMERS.open(newline="") as file:
        head, *rows = csv.reader(file)
    mine = tmp_path / "mine.csv"
    with mine.open("w", newline="") as file:
        csv.writer(file).writerows([head, *random.Random(1).sample(rows, 300)])
    if store.alias("champion") != "1":
        command("promote", "churn", "1", "--force")
    with pytest.raises(SystemExit, match="^3$"):
        command("promote", "churn", "2", "--data", str(mine))
    assert "on 300 held-out rows" in capsys.readouterr().err


@pytest.mark.long
def test_the_command_line_tracks_in_the_folder_it_runs_in(tmp_path: Path) -> None:
    """`train.py --register` without MLFLOW_TRACKING_URI makes mlflow.db here; a server that is
    away stops the training before it starts, with one line."""
    given = {k: v for k, v in environment(**QUIET).items() if k != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, ROOT / "train.py", "churn", "--register"],
        cwd=tmp_path, env=given, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "registered churn version 1" in done.stdout + done.stderr
    assert (tmp_path / "mlflow.db").exists()
    given["MLFLOW_TRACKING_URI"] = "http://name:hidden@127.0.0.1:1"
    given["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    done = subprocess.run(
        [sys.executable, ROOT / "train.py", "churn", "--track"],
        cwd=tmp_path, env=given, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("train.py: MLflow at http://127.0.0.1:1:")
    assert "hidden" not in done.stderr
