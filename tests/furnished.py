"""An artifact that holds all that a page can show: metrics, bands, a profile, plots, dates."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from scoring.artifact.manifest import Dataset
from scoring.models import Model
from tests.support import records, write_artifact


def furnish(model: Model, folder: Path, estimator: Any = None, **facts: Any) -> None:
    """Write `folder/<model>/` with everything that training writes."""
    found = _metrics(model)
    given: dict[str, Any] = {
        "metrics": {"validation": found, "test": found},
        "baseline": {"test": dict.fromkeys(found, 2.5)},
        "data": {
            name: Dataset(
                name="sample.parquet",
                rows=4321,
                sha256="ab" * 32,
                first=date(2021, 1, 1),
                last=date(2021, 1, 31),
            )
            for name in ("training", "validation", "test")
        },
        "profile": _profile(model),
        "dropped": {"the meter was left running": 17},
        "notes": ["fitted by hand for the tests"],
        "draw": _draw,
    }
    write_artifact(model, folder, estimator, **(given | facts))


def _metrics(model: Model) -> dict[str, Any]:
    if model.task == "classification":
        matrix = [[320, 45], [49, 1086]]
        bands = [
            {"band": f"probability {n / 10:g}-{(n + 1) / 10:g}", "rows": 150, "actual": n / 10}
            for n in range(10)
        ]
        named = {"confusion_matrix": matrix, "bands": bands}
        return {"rows": 1500, "auc": 0.8612, "brier": 0.13, **named}
    band = {"band": "trip_distance 0-1", "rows": 481, "rmse": 6.716, "mae": 3.07, "bias": -0.889}
    return {"rows": 1500, "rmse": 7.052, "mae": 4.66, "r2": 0.6309, "bands": [band]}


def _profile(model: Model) -> dict[str, dict[str, Any]]:
    found = {}
    rows = records(model, 9)
    for name, value in rows[5].items():
        often = dict.fromkeys([value, rows[2][name], rows[3][name]])
        entry: dict[str, Any] = {"distinct": 3, "most_frequent": [[one, 3] for one in often]}
        if not isinstance(value, str):
            entry |= {"min": 0.0, "max": 9.5, "mean": 4.25, "quantiles": {"0.5": float(value)}}
        found[name] = entry
    return found


def _draw(folder: Path) -> None:
    from matplotlib.figure import Figure  # a second, of processes that draw only

    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([1, 2, 3])
    figure.savefig(folder / "error_by_distance.png")
