"""A place for each test: a checkout, three months, and an engine in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.support import month, months
from tests.support import ROOT
from tests.training.support import saved

FILES = ROOT / "deploy" / "pipeline"
_SAYS_NOTHING = {"DO_NOT_TRACK": "1", "NO_COLOR": "1"}  # of what an engine would tell its makers


@dataclass(frozen=True)
class Place:
    """Where one test's engine, checkout and runs are."""

    folder: Path
    home: Path  # looks like a checkout in which `make setup` was called

    def words(self, *, fails: bool = False) -> list[str]:
        """Return what a schedule adds to the command; `fails`: words with which it ends in 1."""
        runs = self.folder / "file" if fails else self.folder / "runs"
        if fails:
            runs.touch()
        return ["--data", str(self.folder / "data"), "--runs", str(runs)]

    def records(self) -> list[dict[str, Any]]:
        """Return the pipeline's own records, the oldest first."""
        found = sorted((self.folder / "runs" / "ride").glob("*Z.json"))
        return [json.loads(path.read_bytes()) for path in found]

    def publish_kilometres(self) -> None:
        """Add a month whose distances are in another unit."""
        saved(month(4, miles=1.609), self.folder / "data" / "trips-2021-04.parquet")

    def call(
        self,
        engine: str,
        *words: str,
        environ: Mapping[str, str] | None = None,
        status: int | None = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Call a program of an engine's environment; what it prints is one text. It is to end with
        `status`; None: with any."""
        folder = ROOT / f".venv-{engine}"
        if not (folder / ".ready").exists():
            pytest.fail(f"{folder.name} is not there: make test-orchestrators makes it")
        kept = ("PATH", "LANG", "TMPDIR")
        variables = {name: os.environ[name] for name in kept if name in os.environ}
        variables |= {"HOME": str(self.folder), "MODELS_DIR": str(self.folder / "models")}
        done = subprocess.run(
            [str(folder / "bin" / words[0]), *words[1:]], cwd=self.folder, text=True, check=False,
            env={**variables, **_SAYS_NOTHING, **(environ or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert status is None or done.returncode == status, done.stdout[-6000:]
        return done


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A checkout, and three months of trips."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("pipeline", "monitoring", "training"):
        (home / name).symlink_to(ROOT / name)
    (home / ".venv").symlink_to(sys.prefix)
    (tmp_path / "data").mkdir()
    months(tmp_path / "data", 3)
    return Place(tmp_path, home)


def assert_all_was_done(place: Place) -> None:
    """Assert that each step was one call, done once, and that the last one promoted."""
    records = place.records()
    names = ["ingest", "check", "train", "gate", "register", "promote"]
    assert [record["state"] for record in records] == [*["partly"] * 5, "promoted"]
    done = [[one["name"] for one in record["steps"] if not one["reused"]] for record in records]
    assert done == [[name] for name in names]
    assert (place.folder / "models" / "ride" / "manifest.json").exists()


def assert_the_month_was_refused(place: Place) -> None:
    """Assert that the last run looked at the new month and said no."""
    last = place.records()[-1]
    assert last["state"] == "refused"
    assert last["said"].startswith("trip_distance is 61% higher on average")
    assert len(place.records()) == 8  # the first step of that run is one as well
