"""The TLC's trips, green or yellow, of any year: parquet files by month."""

from __future__ import annotations

import pandas as pd

from training import sample
from training.datasets import WHEN, Source, numbers, require
from training.errors import TrainingError

# green and yellow cabs spell the same two columns differently
_PREFIXES = ("lpep", "tpep")


def tidy(raw: pd.DataFrame) -> pd.DataFrame:
    """Gives the ride's fields, the duration in minutes and the moment of the pickup. The zones'
    columns are int64, int32 or, where some are null, float64, as the year has it."""
    prefix = next((p for p in _PREFIXES if f"{p}_pickup_datetime" in raw), _PREFIXES[0])
    pickup, dropoff = f"{prefix}_pickup_datetime", f"{prefix}_dropoff_datetime"
    require(raw, [pickup, dropoff, "PULocationID", "DOLocationID", "trip_distance"])
    for name in (pickup, dropoff):
        if not pd.api.types.is_datetime64_any_dtype(raw[name]):
            raise TrainingError(
                f"column {name} holds {raw[name].dtype} in {len(raw)} rows; times are expected"
            )
    return pd.DataFrame(
        {
            "PULocationID": numbers(raw["PULocationID"]),
            "DOLocationID": numbers(raw["DOLocationID"]),
            "trip_distance": numbers(raw["trip_distance"]),
            "duration": (raw[dropoff] - raw[pickup]).dt.total_seconds() / 60,
            WHEN: raw[pickup],
        }
    )


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
)
