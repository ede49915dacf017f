"""A run that is interrupted goes on: killed at any moment, told to stop, or met by a second one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch.conftest import Ended
from tests.batch.support import report, write_rides
from tests.support import ROOT, wait_for

pytestmark = pytest.mark.slow

Batch = Callable[..., Ended]


def _started(tmp_path: Path, models_dir: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a run that writes what it says to `said`."""
    with (tmp_path / "said").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "batch", *words],
            cwd=ROOT,
            env={**os.environ, "MODELS_DIR": str(models_dir)},
            stdout=said,
            stderr=said,
        )


def _done(ledger: Path) -> list[Path]:
    return list(ledger.glob("*.json"))


def _killed(run: subprocess.Popen[bytes], ledger: Path, moment: float) -> bool:
    """Kill a run up to 20 ms after it has done another part; say whether it was still running."""
    before = len(_done(ledger))
    wait_for(lambda: run.poll() is not None or len(_done(ledger)) > before, "another part", 60)
    time.sleep(moment * 0.02)  # the moment is what is tried, nothing is waited for
    run.kill()
    return run.wait() == -signal.SIGKILL


def _digests(folder: Path) -> dict[str, str]:
    return {part["name"]: part["sha256"] for part in report(folder)["output"]["parts"]}


@pytest.mark.long
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path, models_dir: Path
) -> None:
    """kill -9 ten times, whenever; each start goes on with what is missing."""
    sources = [str(write_rides(tmp_path / "in" / f"{n:02}.parquet", 20_000)) for n in range(24)]
    quiet = tmp_path / "quiet"
    assert _started(tmp_path, models_dir, "ride", *sources, "--output", str(quiet)).wait(120) == 0
    words = ("ride", *sources, "--output", str(tmp_path / "killed"), "--workers", "1")
    ledger = tmp_path / "killed" / "_unfinished" / "ledger"
    chance = random.Random(1)  # moments of kills, nothing secret
    kills = 0
    while kills < 10 and _killed(_started(tmp_path, models_dir, *words), ledger, chance.random()):
        kills += 1
    assert kills
    last = _started(tmp_path, models_dir, *words)
    assert last.wait(120) == 0, (tmp_path / "said").read_text()
    assert _digests(tmp_path / "killed") == _digests(quiet)
    for part in quiet.glob("part-*"):
        assert (tmp_path / "killed" / part.name).read_bytes() == part.read_bytes()


def test_a_signal_ends_the_run_at_a_safe_point(tmp_path: Path, models_dir: Path) -> None:
    """It says how to go on; the second run does the missing parts alone."""
    sources = [str(write_rides(tmp_path / "in" / f"{n:02}.parquet", 50_000)) for n in range(40)]
    words = ("ride", *sources, "--output", str(tmp_path / "out"), "--workers", "1")
    run = _started(tmp_path, models_dir, *words)
    ledger = tmp_path / "out" / "_unfinished" / "ledger"
    wait_for(lambda: run.poll() is not None or _done(ledger), "a part", 60)
    run.send_signal(signal.SIGTERM)
    assert run.wait(60) == 1
    assert "the same command goes on" in (tmp_path / "said").read_text()
    again = _started(tmp_path, models_dir, *words)
    assert again.wait(120) == 0
    assert report(tmp_path / "out")["resumed_parts"] >= 1


@pytest.mark.long
def test_two_runs_into_one_place(tmp_path: Path, models_dir: Path, batch: Batch) -> None:
    """The second one says who is there, and ends."""
    sources = [str(write_rides(tmp_path / "in" / f"{n:02}.parquet", 50_000)) for n in range(40)]
    run = _started(tmp_path, models_dir, "ride", *sources, "--output", str(tmp_path / "out"))
    lock = tmp_path / "out" / "_unfinished" / "lock"
    wait_for(lambda: run.poll() is not None or (lock.exists() and lock.read_text()), "its lock", 60)
    ended = batch("ride", *sources, "--output", str(tmp_path / "out"))
    assert ended.status == 2
    assert f"process {run.pid} on" in ended.err
    assert run.wait(120) == 0
