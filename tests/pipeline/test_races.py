"""Two watchers with folders of their own and one store, at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.records import Runs
from pipeline.shared.store import Store
from tests.pipeline.support import month, months
from tests.support import ROOT
from tests.training.support import saved

pytestmark = pytest.mark.slow

RACES = int(os.environ.get("RACES", "5"))

# takes a turn for each line that comes; the training is an artifact at hand, and each is counted
_PROGRAM = """
import json, shutil, sys, uuid
from pathlib import Path
from pipeline import run as module
from pipeline.cli import main

ready = Path(sys.argv[1])
manifest = json.loads((ready / "manifest.json").read_bytes())

def train(folder):
    Path("trained", uuid.uuid4().hex).touch()
    shutil.copytree(ready, folder / "ride")
    return {"said": "trained", "mlflow_run": None, "sha256": manifest["sha256"]}

module.fit = lambda *_: train
print("ready", flush=True)
for _ in sys.stdin:
    status = main(sys.argv[2:])
    print(f"turn {status}", flush=True)
"""


def start(folder: Path, ready: Path, runs: str) -> subprocess.Popen[str]:
    """Start a watcher that waits for its turns."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "web-service")])
    environ = {**os.environ, "PYTHONPATH": paths, "MODELS_DIR": str(folder / "models")}
    environ.pop("MLFLOW_TRACKING_URI", None)
    words = ["watch", "--once", "--runs", runs, "--store", "pipeline.db"]
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(ready), *words], cwd=folder, env=environ,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def until(process: subprocess.Popen[str], words: str) -> None:
    """Read what a watcher says until a line begins with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(words):
            return
    pytest.fail(f"it ended before it said {words}")


@pytest.mark.long
def test_two_watchers_make_no_double_run(tmp_path: Path, good: Path) -> None:
    """As often as RACES says: each new month is trained on once, by one of them."""
    for name in ("new", "trained"):
        (tmp_path / name).mkdir()
    months(tmp_path / "new", 3)
    (tmp_path / "pipeline.toml").write_text(
        '[ride.data]\nfolder = "new"\n[ride.watch]\ndebounce_seconds = 0\n'
        "cooldown_minutes = 0\nmax_a_week = 1000\n[ride.keep]\nruns = 2\n"
    )
    watchers = [start(tmp_path, good, name) for name in ("a", "b")]
    try:
        for watcher in watchers:
            until(watcher, "ready")
        for race in range(1, RACES + 1):
            saved(month(3, 400 + race), tmp_path / "new/trips-2021-03.parquet")
            for watcher in watchers:
                assert watcher.stdin is not None
                watcher.stdin.write("go\n")
                watcher.stdin.flush()
            for watcher in watchers:
                until(watcher, "turn 0")
            assert len(list((tmp_path / "trained").iterdir())) == race
    finally:
        for watcher in watchers:
            watcher.communicate(timeout=60)
    records = [one for name in ("a", "b") for one in Runs(tmp_path / name, "ride").all()]
    assert [record["state"] for record in records] == ["promoted"] * RACES
    events = Store(str(tmp_path / "pipeline.db")).events("ride")
    assert len(events) == min(RACES, 200)
    assert {one.state for one in events} == {"done"}
