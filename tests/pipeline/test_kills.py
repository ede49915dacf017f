"""Runs in processes of their own that are killed, and two that begin at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.records import Runs
from pipeline.shared.lease import Leases
from pipeline.shared.store import Store
from tests.pipeline.support import month, months, told
from tests.support import ROOT
from tests.training.support import saved

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("KILLS_SEED", "0")) or random.randrange(1, 1 << 32)

# ends as by SIGKILL at its nth change of a file, a folder or the store; the training is an artifact
# at hand
_PROGRAM = """
import json, os, shutil, sys
from pathlib import Path
from pipeline import run as module
from pipeline.cli import main

ready, at, place = Path(sys.argv[1]), int(sys.argv[2]), os.getcwd()
manifest = json.loads((ready / "manifest.json").read_bytes())
left = [at]

def train(folder):
    shutil.copytree(ready, folder / "ride")
    return {"said": "trained", "mlflow_run": None, "sha256": manifest["sha256"]}

module.fit = lambda *_: train

def watch(event, arguments):
    changes = event == "open" and str(arguments[1]) in ("wb", "w", "x+b", "xb") or event in (
        "os.rename", "os.mkdir", "os.remove", "shutil.rmtree", "sqlite3.connect")
    if changes and os.path.abspath(str(arguments[0])).startswith(place):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), 9)

sys.addaudithook(watch)
sys.exit(main(sys.argv[3:]))
"""


def start(folder: Path, ready: Path, at: int, *words: str) -> subprocess.Popen[str]:
    """Start a run in `folder`, or what the words say, that is killed at its nth change, of 0 at
    none."""
    words = words or ("run", "ride", "--data", *map(str, sorted(folder.glob("*.parquet"))))
    paths = os.pathsep.join([str(ROOT), str(ROOT / "web-service")])
    environ = {**os.environ, "PYTHONPATH": paths, "MODELS_DIR": str(folder / "models")}
    environ.pop("MLFLOW_TRACKING_URI", None)
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(ready), str(at), *words], cwd=folder, env=environ,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_a_run_that_is_killed_anywhere_ends_in_the_same_state(tmp_path: Path, good: Path) -> None:
    """Each goes on where the one before was; what serves is whole at any time."""
    months(tmp_path, 3)
    killed = 0
    for at in range(5, 400, 12):
        process = start(tmp_path, good, at)
        said, _ = process.communicate(timeout=60)
        serves = tmp_path / "models/ride"
        assert not serves.exists() or told(serves) == told(good)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, said
            break
        killed += 1
    assert killed >= 3
    runs = Runs(tmp_path / "runs", "ride")
    records = runs.all()
    assert {record["state"] for record in records[:-1]} <= {"killed"}
    assert records[-1]["state"] == "promoted"
    assert told(tmp_path / "models/ride") == told(good)
    assert not list(runs.steps.glob(".*"))
    again = start(tmp_path, good, 0)
    assert again.communicate(timeout=60)[0].startswith("nothing to do: ")


@pytest.mark.long
def test_a_watcher_that_is_killed_anywhere_ends_in_the_same_state(
    tmp_path: Path, good: Path
) -> None:
    """As often as KILLS says, at changes that chance picks; each month is finished once, each
    trigger answered, and nobody holds the lease."""
    print(f"KILLS_SEED={SEED}")
    chance = random.Random(SEED)
    (tmp_path / "new").mkdir()
    months(tmp_path / "new", 3)
    (tmp_path / "pipeline.toml").write_text(
        '[ride.data]\nfolder = "new"\n[ride.watch]\ndebounce_seconds = 0\n'
        "cooldown_minutes = 0\nmax_a_week = 99\n"
    )
    words, killed, last = ("watch", "--once"), 0, 3
    while killed < KILLS:
        process = start(tmp_path, good, chance.randrange(1, 60), *words)
        said, _ = process.communicate(timeout=120)
        if process.returncode == -signal.SIGKILL:
            killed += 1
            continue
        assert process.returncode == 0, said
        last += 1
        saved(month(last % 12 + 1, 400 + last), tmp_path / f"new/trips-2021-{last:02d}.parquet")
    said, _ = start(tmp_path, good, 0, *words).communicate(timeout=120)
    runs, store = Runs(tmp_path / "runs", "ride"), Store(str(tmp_path / "runs/pipeline.db"))
    finished = [record for record in runs.all() if record["state"] != "killed"]
    assert {record["state"] for record in finished} <= {"promoted", "refused"}, said
    assert len({record["plan"] for record in finished}) == len(finished) >= 1
    assert {one.state for one in store.events("ride")} == {"done"}
    assert {one["plan"] for one in store.finished("ride")} == {one["plan"] for one in finished}
    assert told(tmp_path / "models/ride") == told(good)
    with Leases(store, tmp_path).held("ride"):
        pass


@pytest.mark.long
def test_calls_at_once_are_one_run(tmp_path: Path, good: Path) -> None:
    """The others say that one is at work, or that it has been done."""
    months(tmp_path, 3)
    calls = [start(tmp_path, good, 0) for _ in range(4)]
    said = [process.communicate(timeout=120)[0] for process in calls]
    assert [process.returncode for process in calls] == [0] * 4
    assert sum("promoted: " in one and "promote: " in one for one in said) == 1
    assert sum(one.startswith(("a run of ride is at work", "nothing to do")) for one in said) == 3
    assert len(Runs(tmp_path / "runs", "ride").all()) == 1
