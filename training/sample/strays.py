"""What goes wrong in the TLC's files, in the shares measured there: meters, clocks and zones.

Both functions take trips on which all went well (pickup time, ``minutes``, both zones, miles) and
give back as many, some of them strays. Each kind has a row at least, however few the trips.
"""

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from training.sample.zones import NO_ZONE

_DAY = 24 * 60  # minutes


def hailed(rng: Generator, driven: pd.DataFrame) -> pd.DataFrame:
    """The strays of a meter: started and stopped, never stopped, without a distance, or in 2009."""
    trips = driven.copy()
    unmoved = _some(rng, trips, 0.024)
    trips.loc[unmoved, "trip_distance"] = 0.0
    left_on = _some(rng, trips, 0.0029)
    trips.loc[left_on, "minutes"] = _DAY - rng.exponential(45.0, left_on.size).clip(0.5, 400.0)
    _stop_at_once(rng, trips, _some(rng, trips, 0.035))
    _lose_zones(rng, trips, 0.0125, both=True)
    lost = _some(rng, trips, 0.00005, least=2)
    trips.loc[lost, "lpep_pickup_datetime"] = np.datetime64("2009-01-01", "us") + rng.integers(
        60, 600, lost.size
    ).astype("timedelta64[s]")
    return trips


def booked(rng: Generator, driven: pd.DataFrame) -> pd.DataFrame:
    """The strays of a dispatcher's report: no distance, or one of up to 200,000 miles."""
    trips = driven.copy()
    trips.loc[_some(rng, trips, 0.0145), "trip_distance"] = 0.0
    far = _some(rng, trips, 0.0017)
    trips.loc[far, "trip_distance"] = (10 ** rng.uniform(2.5, 5.3, far.size)).round(2)
    trips["minutes"] = trips["minutes"].clip(lower=1.0)
    _lose_zones(rng, trips, 0.003, both=False)
    return trips


def _some(rng: Generator, trips: pd.DataFrame, share: float, least: int = 1) -> NDArray[np.int64]:
    """The positions of a share of the trips, drawn at random."""
    count = max(least, round(share * len(trips)))
    return rng.choice(len(trips), min(count, len(trips)), replace=False)


def _stop_at_once(rng: Generator, trips: pd.DataFrame, rows: NDArray[np.int64]) -> None:
    """A meter started by mistake: seconds, hardly a step, most often within the zone."""
    trips.loc[rows, "minutes"] = rng.exponential(0.25, rows.size).clip(0.0, 0.98)
    moved = rng.random(rows.size) < 0.25
    trips.loc[rows, "trip_distance"] = np.where(moved, rng.exponential(0.15, rows.size), 0.0).round(
        2
    )
    same = rows[rng.random(rows.size) < 0.85]
    trips.loc[same, "DOLocationID"] = trips.loc[same, "PULocationID"]


def _lose_zones(rng: Generator, trips: pd.DataFrame, share: float, both: bool) -> None:
    """Ends of trips that are in no known zone; with ``both``, of half of these the start too."""
    rows = _some(rng, trips, share)
    trips.loc[rows, "DOLocationID"] = rng.choice(NO_ZONE, rows.size)
    if both:
        starts = rows[: (rows.size + 1) // 2]
        trips.loc[starts, "PULocationID"] = trips.loc[starts, "DOLocationID"]
