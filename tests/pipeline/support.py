"""What the pipeline's tests share: months of trips, a call, a training that takes a moment."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config import Config
from pipeline.records import Runs
from pipeline.run import Asked
from pipeline.steps import Result, Work
from scoring.models import discover
from tests.training.support import saved, silent, trips
from training.run import train

RIDE = discover()["ride"]


def month(number: int, rows: int = 400, *, miles: float = 1.0) -> pd.DataFrame:
    """Return the trips of a month of 2021, distances times `miles`."""
    frame = trips(rows)
    later = pd.Timestamp(2021, number, 1) - pd.Timestamp(2021, 1, 1)
    for column in ("lpep_pickup_datetime", "lpep_dropoff_datetime"):
        frame[column] += later
    return frame.assign(trip_distance=frame["trip_distance"] * miles)


def months(folder: Path, last: int, **of_the_last: Any) -> list[Path]:
    """Write the months of 2021 until `last` and return their files."""
    return [
        saved(month(n, **of_the_last if n == last else {}), folder / f"trips-2021-{n:02d}.parquet")
        for n in range(1, last + 1)
    ]


def asked(folder: Path, data: Sequence[str | Path] = (), **more: Any) -> Asked:
    """Return a call whose models and runs are in `folder`."""
    wanted = {
        "model": RIDE, "runs": Runs(folder / "runs", "ride"), "config": Config(), "data": data,
        "environ": {"MODELS_DIR": str(folder / "models")},
    }  # fmt: skip
    return Asked(**{**wanted, **more})


def artifact(folder: Path, data: Sequence[Path], **more: Any) -> Path:
    """Train on these files in this process and return the artifact's folder."""
    train(silent(RIDE, data[0], folder, **more))
    return folder / "ride"


def copied(ready: Path) -> Any:
    """Return a stand-in for `fit` that takes the artifact at hand, as a training would write it."""

    def fit(*_: object) -> Work:
        def work(folder: Path) -> Result:
            shutil.copytree(ready, folder / "ride")
            manifest = told(ready)
            return {"said": "trained", "mlflow_run": None, **manifest}

        return work

    return fit


def told(folder: Path) -> dict[str, Any]:
    """Return what a training says of its artifact."""
    import json

    manifest = json.loads((folder / "manifest.json").read_bytes())
    return {"sha256": manifest["sha256"], "version": manifest["version"]}


def states(runs: Runs) -> list[tuple[str, Mapping[str, str]]]:
    """Return each run's state, and the state of each of its steps."""
    return [(r["state"], {s["name"]: s["state"] for s in r["steps"]}) for r in runs.all()]
