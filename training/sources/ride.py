"""The TLC's trips, of green or yellow cabs and of any year: Parquet files by month, or CSV."""

from __future__ import annotations

import pandas as pd

from training import sample
from training.data.columns import minutes_between, require, times
from training.sources import WHEN, Source

# green and yellow cabs spell the same two columns differently
_PREFIXES = ("lpep", "tpep")


def tidy(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the ride's fields, the duration in minutes and the time of the pickup."""
    prefix = next((p for p in _PREFIXES if f"{p}_pickup_datetime" in raw), _PREFIXES[0])
    pickup, dropoff = f"{prefix}_pickup_datetime", f"{prefix}_dropoff_datetime"
    fields = ["PULocationID", "DOLocationID", "trip_distance"]
    require(raw, [pickup, dropoff, *fields])
    begin = times(raw[pickup])
    duration = minutes_between(begin, times(raw[dropoff]))
    return raw[fields].assign(duration=duration, **{WHEN: begin})


SOURCE = Source(
    tidy=tidy,
    columns=(
        *(f"{p}_{moment}_datetime" for p in _PREFIXES for moment in ("pickup", "dropoff")),
        *("PULocationID", "DOLocationID", "trip_distance"),
    ),
    # shorter ones are cancelled rides, longer ones meters that were left running
    target_range=(1, 60),
    sample=sample.TRIPS,
    bands=("trip_distance", (0, 1, 2, 5, 10, 20, float("inf"))),
    months=True,
    contender="means",
)
