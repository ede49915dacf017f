"""With a real MLflow server: a version for each candidate that passed, and the alias."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.support import months
from tests.scoring.registry.mlflow_server import Mlflow, mlflow_server
from tests.support import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An MLflow server with nothing in it."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as found:
        yield found


def call(folder: Path, server: Mlflow, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    environ = {
        **os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": server.url,
        "REGISTRY_CACHE": str(folder / "cache"),
    }  # fmt: skip
    command = [sys.executable, "-m", "pipeline", *words]
    return subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_candidate_becomes_the_champion_of_the_registry(tmp_path: Path, server: Mlflow) -> None:
    """One version, the alias on it, the reason in the history; a second call does nothing, and one
    that begins at the registration makes no second version."""
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


def test_a_server_that_is_away_fails_the_run_in_a_sentence(tmp_path: Path) -> None:
    """Nothing is trained without knowing what serves."""
    away = Mlflow("http://127.0.0.1:9")
    done = call(tmp_path, away, "run", "ride", "--data", *map(str, months(tmp_path, 3)))
    assert done.returncode == 1
    assert done.stderr.startswith("pipeline: the champion cannot be read: ")
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "runs/ride/steps").iterdir())
