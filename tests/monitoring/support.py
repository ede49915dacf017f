"""Prediction logs of any hour, in the form in which the service writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

BEGIN: Final = datetime(2026, 11, 2, tzinfo=UTC)
DIGEST: Final = "d" * 64


def rides(rows: int, seed: int = 1, **shift: Any) -> list[dict[str, Any]]:
    """Return records of rides from one population; `miles` are added, `zones` are new ones' share,
    `factor` is what distances are multiplied with."""
    random = np.random.default_rng(seed)
    zones = random.choice([41, 42, 74, 75, 166, 236], (rows, 2), p=[0.1, 0.2, 0.3, 0.2, 0.15, 0.05])
    miles = random.lognormal(0.8, 0.7, rows) * shift.get("factor", 1) + shift.get("miles", 0)
    new = random.random(rows) < shift.get("zones", 0)
    zones[new, 0] = random.integers(10, 15, int(new.sum()))
    return [
        {"PULocationID": int(a), "DOLocationID": int(b), "trip_distance": round(float(m), 2)}
        for (a, b), m in zip(zones, miles, strict=True)
    ]


def line(record: Mapping[str, Any], place: int, when: datetime, **other: Any) -> dict[str, Any]:
    """Return a line of the log; `other` takes the place of what it has."""
    score = 4 + 3 * float(record["trip_distance"])
    made = {
        "schema": 1, "time": when.isoformat(timespec="microseconds"), "request_id": f"r{place}",
        "model": "ride", "version": "3", "digest": DIGEST, "index": 0, "features": dict(record),
        "score": score, "unseen": [], "result": {"duration": score},
    }  # fmt: skip
    return {**made, **other}


def lines(
    records: Sequence[Mapping[str, Any]],
    begin: datetime = BEGIN,
    over: timedelta = timedelta(hours=24),
    first: int = 0,
    **other: Any,
) -> list[dict[str, Any]]:
    """Return a line for each record, evenly over a time, with ids from `first` on."""
    step = over / max(len(records), 1)
    return [
        line(record, first + place, begin + place * step, **other)
        for place, record in enumerate(records)
    ]


def text(made: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the bytes of these lines."""
    return b"".join(orjson.dumps(one) + b"\n" for one in made)


def write(path: Path, made: Sequence[Mapping[str, Any]]) -> Path:
    """Write a log and return its path."""
    path.write_bytes(text(made))
    return path
