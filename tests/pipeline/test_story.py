"""A year of months, published one by one: what is trained, refused, promoted and rolled back.

In this process, four months of it; with MONTHS=12 (`make test-pipeline-long`) the whole of it, with
trainings in processes of their own and a real MLflow server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitoring.ingest import Ingest
from monitoring.kept import Keeper
from monitoring.store import Store as Monitored
from pipeline import run as module
from pipeline.champions import champion_of
from pipeline.cli import main
from pipeline.ingest import months_until
from pipeline.records import Record, Runs
from pipeline.shared.store import Store
from pipeline.steps import NAMES, Result, Work
from scoring.models import discover
from scoring.process.cpus import available
from tests.monitoring.support import lines, write
from tests.pipeline.support import RIDE, told
from tests.scoring.registry.mlflow_server import mlflow_server
from tests.support import ROOT
from tests.training.data.mirror import mirror
from tests.training.support import silent, trips
from training.evaluation import plots
from training.run import train

pytestmark = pytest.mark.slow

MONTHS = int(os.environ.get("MONTHS", "4"))
WHOLE_S, OTHER_S, YEAR_S = 60, 3, 600  # of a promotion, what of it is no training; of a year
_TOML = """
[ride.data]
mirror = "{url}"
ask_hours = 0
late_months = 12
[ride.gate]
margin = 0.1
[ride.watch]
debounce_seconds = 0
cooldown_minutes = 0
max_a_week = 99
"""


def made(name: str, seed: int, *, miles: float = 1.0, crowded: bool = False) -> pd.DataFrame:
    """Return a month of trips: distances of a log-normal, four minutes and three a mile; distances
    times `miles`, or nearly all from one zone."""
    random = np.random.default_rng(seed)
    frame = trips(1500)
    distance = np.clip(random.lognormal(1.0, 0.6, len(frame)), 0.3, 40).round(2)
    begin = pd.Series(
        pd.Timestamp(f"{name}-01") + pd.to_timedelta(np.arange(1500) * 25, unit="min")
    )
    minutes = 4 + 3 * distance + random.normal(0, 1, len(frame))
    zones = np.where(random.random(len(frame)) < 0.9, 1, frame["PULocationID"])
    return frame.assign(
        lpep_pickup_datetime=begin.dt.as_unit("us"),
        lpep_dropoff_datetime=(begin + pd.to_timedelta(minutes, unit="min")).dt.as_unit("us"),
        trip_distance=distance * miles,
        PULocationID=zones if crowded else frame["PULocationID"],
    )


@dataclass
class World:
    """A publisher, a watcher, a monitoring store, and what serves."""

    folder: Path
    there: Path  # of the publisher
    environ: dict[str, str]
    watch: Callable[[], None]
    names: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Runs:
        """The runs so far."""
        return Runs(self.folder / "runs", "ride")

    def publish(self, place: int, seed: int | None = None, **more: Any) -> None:
        """Publish a month of the year."""
        name = self.names[place]
        path = self.there / f"green_tripdata_{name}.parquet"
        made(name, place if seed is None else seed, **more).to_parquet(path, index=False)

    def turn(self) -> list[Record]:
        """Let the watcher take a turn, and return the runs that it made."""
        before = len(self.runs.all())
        self.watch()
        return self.runs.all()[before:]

    def serves(self) -> str:
        """Return the digest of what serves."""
        found = champion_of(RIDE, self.environ)
        assert found is not None
        return found.sha256


def trained(model: Any, parts: Any, *_: Any) -> Work:
    """Train in this process, as train.py does with the same options."""

    def work(folder: Path) -> Result:
        options = silent(
            model, parts["learned"][0], folder, validation=parts["watched"],
            test=parts["held_out"], refit=True,
        )  # fmt: skip
        train(options)
        return {"said": "trained", "mlflow_run": None, **told(folder / "ride")}

    return work


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The first three months are published."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    environ = {
        "MODELS_DIR": str(tmp_path / "models"), "DATA_DIR": str(tmp_path / "data"),
        "MONITORING_STORE": str(tmp_path / "monitoring.db"),
        "REGISTRY_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip
    whole = MONTHS >= 12
    with (
        mirror(tmp_path / "there") as (there, url),
        mlflow_server(tmp_path_factory.mktemp("mlflow")) if whole else nullcontext() as server,
    ):
        environ |= {"MLFLOW_TRACKING_URI": server.url} if server else {}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "pipeline.toml").write_text(_TOML.format(url=url))

        def in_process() -> None:
            assert main(["watch", "--once"]) == 0

        def apart() -> None:
            done = subprocess.run(
                [sys.executable, "-m", "pipeline", "watch", "--once"], capture_output=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr

        if not whole:
            monkeypatch.setattr(module, "fit", trained)
            monkeypatch.setattr(plots, "draw", lambda *_: [])
        names = months_until(f"{datetime.now(UTC):%Y-%m}", 11)
        found = World(tmp_path, there, environ, apart if whole else in_process, names)
        for place in range(3):
            found.publish(place)
        yield found


def test_the_months_of_a_year(world: World) -> None:
    """Each is promoted, but for the wrong unit, the drift, and what was told to learn from the
    wrong unit; the sentence says why. It takes no longer than it may, by what each run noted."""
    begun = time.monotonic()
    promoted(world, "no run has finished yet")
    first = world.serves()
    assert world.turn() == []
    world.publish(3, miles=1.609)
    refused(world, r"trip_distance is [56]\d% higher on average: .* \(max_psi\)")
    assert world.serves() == first
    world.publish(3)
    promoted(world, rf"other bytes than in run 000002-.*: green_tripdata_{world.names[3]}.parquet")
    assert world.serves() != first
    rolled_back(world, r"was rolled back to .*: trip_distance is \d+% higher on average")
    assert world.serves() == first
    assert world.turn() == []
    if MONTHS >= 12:
        the_rest_of_the_year(world)
        assert time.monotonic() - begun <= YEAR_S
    said = [one.said for one in Store(str(world.folder / "runs/pipeline.db")).events("ride")]
    assert len(said) == len(world.runs.all())
    assert all(one.startswith("run 0000") for one in said)


def the_rest_of_the_year(world: World) -> None:
    """Eight more months."""
    for place in (4, 5, 6, 7):
        world.publish(place)
        promoted(world, rf"new data: green_tripdata_{world.names[place]}.parquet")
    world.publish(8, miles=1.609)
    refused(world, r"trip_distance is [56]\d% higher on average")
    world.publish(9)
    promoted(world, rf"; without green_tripdata_{world.names[8]}.parquet, which the check of run")
    settings = world.folder / "pipeline.toml"
    told = settings.read_text().replace("[ride.data]", "[ride.data]\nlearn_refused = true")
    settings.write_text(told)
    world.publish(10)  # learns from those kilometres
    refused(world, r"its rmse is .*, the champion's .*: worse by \d+.*, 10.0% is allowed")
    world.publish(11, crowded=True)
    refused(world, r"PULocationID: '1' is 9\d.*: a PSI of .* \(max_psi\)")


def promoted(world: World, why: str) -> None:
    """Take a turn in which a run is promoted for this reason."""
    [record] = world.turn()
    assert record["state"] == "promoted", record["said"]
    assert re.search(why, record["why"]), record["why"]
    assert world.serves() == record["candidate"]
    seconds = {one["name"]: one["seconds"] for one in record["steps"]}
    assert seconds.keys() == {*NAMES}
    longer = max(1.0, os.getloadavg()[0] / available())  # where others wait for the same CPUs
    assert record["seconds"] <= WHOLE_S * longer, (record["seconds"], seconds)
    assert record["seconds"] - seconds["train"] <= OTHER_S * longer, (record["seconds"], seconds)


def refused(world: World, said: str) -> None:
    """Take a turn in which a run is refused with these words, and nothing else serves."""
    before = world.serves()
    [record] = world.turn()
    assert record["state"] == "refused", record["said"]
    assert re.search(said, record["said"]), record["said"]
    assert world.serves() == before


def rolled_back(world: World, said: str) -> None:
    """Let five hours pass in which distances come in another unit, and take a turn."""
    store = Store(str(world.folder / "runs/pipeline.db"))
    watched = store.mark("ride", "observed")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    began = now - timedelta(hours=5)
    store.set_mark("ride", "observed", {**watched, "began": began.isoformat()})
    for hour in range(1, 6):  # the one that runs as well: it may end meanwhile
        frame = made("2026-01", hour).sample(300, random_state=hour)
        records = [
            {"PULocationID": int(p), "DOLocationID": int(d), "trip_distance": float(m) * 2}
            for p, d, m in zip(
                frame["PULocationID"], frame["DOLocationID"], frame["trip_distance"], strict=True
            )
        ]
        found = champion_of(RIDE, world.environ)
        assert found is not None
        log = lines(
            records, began + timedelta(hours=hour), timedelta(hours=1), first=hour * 1000,
            digest=found.sha256, version=found.version,
        )  # fmt: skip
        path = write(world.folder / f"{hour}.jsonl", log)
        keep = Ingest(Monitored(world.environ["MONITORING_STORE"]), discover(), Keeper())
        keep.take([path])
    assert world.turn() == []
    last = world.runs.all()[-1]
    assert last["state"] == "rolled back"
    assert re.search(said, last["said"]), last["said"]
