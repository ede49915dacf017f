"""A run that is killed again and again ends with the bytes of one that was not: a short turn, and
as many kills as KILLS says (`make test-kills`)."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.batch.support import write_rides
from tests.batch.test_object_store import content, keys, lake
from tests.support import ROOT

__all__ = ["lake"]  # a server that speaks S3

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the S3 server's own

KILLS = int(os.environ.get("KILLS", "2"))
SEED = int(os.environ.get("KILLS_SEED", "0")) or random.randrange(1, 1 << 32)
PARTS = 24

Words = list[str]


def started(words: Words, folder: Path, models_dir: Path) -> subprocess.Popen[str]:
    """Start a run in a folder."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "web-service")])
    return subprocess.Popen(
        [sys.executable, "-m", "batch", *words], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": paths, "MODELS_DIR": str(models_dir)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_often(start: Callable[[], subprocess.Popen[str]], names: Callable[[], list[str]],
               awake: Callable[[], None]) -> int:  # fmt: skip
    """Kill a run KILLS times, each when a number of files that chance says have come, then let it
    end; return how often it was hit before its end. `names` are the files of its output, `awake`
    is called before it is started again."""
    chance = random.Random(SEED)
    hit = 0

    def progress() -> int:
        every = names()
        return sum("/ledger/" in name or name.startswith("part-") for name in every)

    for number in range(KILLS):
        # the first in the middle of the work, so that there is something to go on with
        wanted = chance.randint(1, 2 * PARTS) if number else chance.randint(1, PARTS // 2)
        run = start()
        deadline = time.monotonic() + 120
        while run.poll() is None and progress() < wanted:
            assert time.monotonic() < deadline, f"no part after 120 s, KILLS_SEED={SEED}"
            time.sleep(0.002)
        hit += run.poll() is None
        run.kill()
        run.communicate()
        awake()
    run = start()
    _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    return hit


def table(folder: Path) -> None:
    """Write rides in as many row groups as there are to be parts; some rows are not valid."""
    distances = [-1.0 if n % 100 == 7 else n % 97 * 0.25 for n in range(PARTS * 500)]
    write_rides(folder / "in" / "a.parquet", PARTS * 500, group=500, trip_distance=distances)


def told(run: bytes) -> Any:
    """Return of `run.json` what does not differ from run to run."""
    found = json.loads(run)
    return {key: found[key] for key in ("model", "inputs", "totals", "output")}


def test_a_run_killed_at_random_ends_as_one_that_was_not(tmp_path: Path, models_dir: Path) -> None:
    """Each part, each rejected row and what it says of itself; nothing unfinished is left."""
    print(f"KILLS_SEED={SEED}")
    table(tmp_path)

    def start(out: str) -> subprocess.Popen[str]:
        return started(["ride", "in", "--output", out], tmp_path, models_dir)

    _, err = start("once").communicate(timeout=120)

    def files(out: str) -> dict[str, Path]:
        found = [path for path in (tmp_path / out).rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path / out).as_posix(): path for path in found}

    assert kill_often(lambda: start("out"), lambda: [*files("out")], lambda: None), SEED
    once, again = files("once"), files("out")
    assert "_SUCCESS" in once, err
    assert len([name for name in once if name.startswith("part-")]) == PARTS
    assert again.keys() == once.keys()
    for name in once.keys() - {"run.json"}:
        assert again[name].read_bytes() == once[name].read_bytes(), (name, SEED)
    assert told(again["run.json"].read_bytes()) == told(once["run.json"].read_bytes())


@pytest.mark.long
def test_so_does_one_in_an_object_store(lake: Any, tmp_path: Path, models_dir: Path) -> None:
    """Where the lock of a run that was killed is too old after a minute."""
    print(f"KILLS_SEED={SEED}")
    table(tmp_path)
    lake.upload_file(str(tmp_path / "in" / "a.parquet"), "lake", "in/a.parquet")

    def start(out: str) -> subprocess.Popen[str]:
        words = ["ride", "s3://lake/in/", "--output", f"s3://lake/{out}/"]
        return started(words, tmp_path, models_dir)

    def a_minute_later() -> None:
        name = "out/_unfinished/lock"
        if "_unfinished/lock" in keys(lake, "out/"):
            lock = json.loads(content(lake, name))
            later = json.dumps({**lock, "time": lock["time"] - 61})
            lake.put_object(Bucket="lake", Key=name, Body=later.encode())

    _, err = start("once").communicate(timeout=120)
    assert kill_often(lambda: start("out"), lambda: keys(lake, "out/"), a_minute_later), SEED
    once = {name: content(lake, f"once/{name}") for name in keys(lake, "once/")}
    again = {name: content(lake, f"out/{name}") for name in keys(lake, "out/")}
    assert "_SUCCESS" in once, err
    assert again.keys() == once.keys()
    for name in once.keys() - {"run.json"}:
        assert again[name] == once[name], (name, SEED)
    assert told(again["run.json"]) == told(once["run.json"])
