"""With a real MLflow server: a version for each candidate that passed, and the alias."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import observe, tracking
from pipeline.cli import main
from pipeline.records import Runs
from tests.pipeline.support import RIDE, months
from tests.scoring.registry.mlflow_server import Mlflow, mlflow_server
from tests.support import ROOT, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An MLflow server with nothing in it."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as found:
        yield found


def call(folder: Path, server: Mlflow, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    environ = environment(
        PYTHONPATH=str(ROOT),
        MLFLOW_TRACKING_URI=server.url,
        REGISTRY_CACHE=str(folder / "cache"),
    )
    command = [sys.executable, "-m", "pipeline", *words]
    return subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.long
def test_a_candidate_becomes_the_champion_of_the_registry(
    tmp_path: Path, server: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One version, the alias on it, the reason in the history; a second call does nothing, and one
    that begins at the registration makes no second version. A later one that gets an alarm gives
    the alias back."""
    words = ["run", "ride", "--data", *map(str, months(tmp_path, 3))]
    done = call(tmp_path, server, *words)
    assert done.returncode == 0, done.stderr
    assert "register: ride-duration 1" in done.stdout
    assert "ride-duration: version 1 is the champion, before it none" in done.stdout
    assert not (tmp_path / "models").exists()
    path = "registered-models/get?name=ride-duration"
    found = server.call("GET", path, {})["registered_model"]
    assert {a["alias"]: a["version"] for a in found["aliases"]}["champion"] == "1"
    [event] = [json.loads(t["value"]) for t in found["tags"] if "history" in t["key"]]
    assert event["why"] == "no run has finished yet"
    assert call(tmp_path, server, *words).stdout.startswith("nothing to do: run 000001-")
    again = call(tmp_path, server, *words, "--from", "register")
    assert "register: ride-duration 1" in again.stdout, again.stderr
    assert "it serves already" in again.stdout
    status = call(tmp_path, server, "status", "ride")
    assert status.stdout.startswith("ride: 1 serves, trained "), status.stderr
    _kept(server, tmp_path)
    _rolled_back(server, tmp_path, words, monkeypatch)


def _rolled_back(
    server: Mlflow, folder: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let a second version be promoted, and monitoring raise an alarm."""
    (folder / "pipeline.toml").write_text("[ride.gate]\nmargin = 0.5\n")
    monkeypatch.setenv("MONITORING_STORE", str(folder / "m.db"))
    more = call(folder, server, *words, str(months(folder, 4)[-1]))
    assert "version 2 is the champion, before it 1" in more.stdout, more.stderr
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("REGISTRY_CACHE", str(folder / "cache"))
    monkeypatch.setattr(observe, "_alarm", lambda *_: "trip_distance is 61% higher")
    assert main(["observe", "ride"]) == 20
    path = "registered-models/get?name=ride-duration"
    found = server.call("GET", path, {})["registered_model"]
    assert {a["alias"]: a["version"] for a in found["aliases"]}["champion"] == "1"
    events = [json.loads(t["value"]) for t in found["tags"] if "history" in t["key"]]
    [event] = [one for one in events if one["action"] == "rollback"]
    assert event["why"] == "trip_distance is 61% higher"
    last = Runs(folder / "runs", "ride").all()[-1]
    assert last["said"] == "2 was rolled back to 1: trip_distance is 61% higher"


def _kept(server: Mlflow, folder: Path) -> None:
    """Look for the first run, its steps, its inputs and the training's own run."""
    name = "experiments/get-by-name?experiment_name=ride-duration-pipeline"
    place = server.call("GET", name, {})["experiment"]["experiment_id"]
    runs = server.call("POST", "runs/search", {"experiment_ids": [place]})["runs"]
    tags = {run["info"]["run_id"]: {t["key"]: t["value"] for t in run["data"]["tags"]}
            for run in runs}  # fmt: skip
    [parent] = [
        run for run in runs if tags[run["info"]["run_id"]].get("why") == "no run has finished yet"
    ]
    own = parent["info"]["run_id"]
    assert tags[own]["state"] == "promoted"
    inputs = parent["inputs"]["dataset_inputs"]
    assert {one["dataset"]["name"] for one in inputs} == {
        path.name for path in folder.glob("*.parquet")
    }
    steps = [run for run in runs if tags[run["info"]["run_id"]].get("mlflow.parentRunId") == own]
    assert {run["info"]["run_name"] for run in steps} == {
        "ingest", "check", "train", "gate", "register", "promote",
    }  # fmt: skip
    by_name = {run["info"]["run_name"]: run for run in steps}
    assert {one["key"] for one in by_name["gate"]["data"]["metrics"]} >= {"rmse", "mae", "r2"}
    trained = tags[by_name["train"]["info"]["run_id"]]["training_run"]
    found = server.call("GET", f"runs/get?run_id={trained}", {})["run"]["data"]["tags"]
    assert {"key": "pipeline_run", "value": own} in found


def test_where_mlflow_is_away_at_the_end_the_run_stays_as_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line says that MLflow has no record of it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    runs = Runs(tmp_path, "ride")
    runs.make()
    record = runs.begin("plan", "why", [], "code")
    said: list[str] = []
    tracking.keep(RIDE, record, os.environ, said.append)
    assert said == []  # it has not ended
    runs.end(record, "refused", "too old")
    tracking.keep(RIDE, record, {}, said.append)
    assert said == []  # no MLflow
    tracking.keep(RIDE, record, os.environ, said.append)
    assert [line.partition(": MLflow at ")[0] for line in said] == [
        "MLflow keeps no record of this run"
    ]


@pytest.mark.long
def test_a_server_that_is_away_fails_the_run_in_a_sentence(tmp_path: Path) -> None:
    """Nothing is trained without knowing what serves."""
    away = Mlflow("http://127.0.0.1:9")
    done = call(tmp_path, away, "run", "ride", "--data", *map(str, months(tmp_path, 3)))
    assert done.returncode == 1
    assert done.stderr.startswith("pipeline: the champion cannot be read: ")
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "runs/ride/steps").iterdir())
