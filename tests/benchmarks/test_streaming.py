"""The benchmark of streams: what it prints of whom. No time is asserted here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import streaming
from benchmarks.stream_ways import RIVALS, WORKERS
from tests.streaming.kafka_broker import kafka_package
from tests.support import ROOT, free_port


def test_ratios_are_of_the_rounds() -> None:
    """Their median, least and most, and whether that is what is wanted; of who was measured."""
    found = {
        WORKERS[0].name: {"rides/s": [100.0, 120.0, 90.0]},
        "tutorial loop": {"rides/s": [5.0, 4.0, 9.0]},
        "MLServer's Kafka": {"rides/s": [20.0, 20.0, 20.0]},
    }
    assert streaming.ratios(found) == [
        "worker, exactly once, over tutorial loop: 20.0 times (10.0 to 30.0), reached 15",
        "worker, exactly once, over MLServer's Kafka: 5.0 times (4.5 to 6.0), BELOW 10",
    ]


def test_every_package_of_a_rival_is_pinned() -> None:
    """Those that it brings, too; make knows the environment."""
    makefile = (ROOT / "Makefile").read_text()
    for environment in {way.environment for way in RIVALS} - {""}:
        name = environment.removeprefix(".venv-")
        lines = (ROOT / "benchmarks" / f"{name}.txt").read_text().splitlines()[1:]
        assert len(lines) > 10
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
        assert name in makefile


@pytest.mark.slow
def test_a_quick_run_measures_the_worker(models_dir: Path) -> None:
    """Rides per second, of CPU time as well, and memory, with that of librdkafka alone."""
    kafka_package()
    words = [sys.executable, "-m", "benchmarks.streaming", "--quick", "--part", "rounds",
             "--only", "exactly once"]  # fmt: skip
    environ = os.environ | {"MODELS_DIR": str(models_dir), "BENCH_PORT": str(free_port())}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = "worker, exactly once +[0-9,]+ rides/s +[0-9,]+ rides/s of CPU +[0-9]+ MiB"
    assert re.search(figures, done.stdout), done.stdout
    assert re.search("librdkafka's consumer alone +[0-9]+ MiB", done.stdout)
