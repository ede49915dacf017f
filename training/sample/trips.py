"""One month of trips like those of New York's green cabs, with the strays the TLC's files have.

Two kinds of trip make up the month, as they do there: trips hailed in the street, with a meter that
counts seconds, and trips booked through a dispatcher, longer, in whole minutes, and without the
fields that only a meter fills. A trip is a pair of zones, a point in each, the miles between them,
and the minutes these take at that hour. The shares and speeds are figures of January 2021, rounded.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from training.sample import fares, strays
from training.sample.zones import DETOUR, delays, distances, pair_shares, zones

COLUMNS = (
    "VendorID",
    "lpep_pickup_datetime",
    "lpep_dropoff_datetime",
    "store_and_fwd_flag",
    "RatecodeID",
    "PULocationID",
    "DOLocationID",
    "passenger_count",
    "trip_distance",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "ehail_fee",
    "improvement_surcharge",
    "total_amount",
    "payment_type",
    "trip_type",
    "congestion_surcharge",
)
"""The TLC's columns, in the TLC's order."""

# Trips per thousand that start in each hour, and per hundred on each day of a week, Monday first.
_HAILED_HOURS = (
    *(10, 6, 4, 3, 2, 7, 17, 35, 53, 61, 62, 63),
    *(65, 70, 74, 82, 85, 76, 68, 55, 37, 26, 21, 16),
)
_BOOKED_HOURS = (
    *(3, 2, 1, 2, 7, 17, 28, 56, 79, 99, 101, 91),
    *(88, 88, 77, 66, 56, 40, 30, 26, 18, 11, 9, 5),
)
_HAILED_DAYS = (13, 14, 15, 15, 17, 15, 11)
_BOOKED_DAYS = (15, 17, 18, 17, 17, 9, 7)
_HOLIDAYS = {1: 0.37, 18: 0.66}  # New Year's Day and Martin Luther King Day: the share that rides

# Minutes a trip takes by the hour it starts, as a multiple of those at one in the afternoon.
_TRAFFIC = (
    *(0.73, 0.73, 0.73, 0.67, 0.67, 0.70, 0.80, 0.87, 0.92, 0.90, 0.92, 0.95),
    *(0.96, 1.00, 1.04, 1.06, 1.06, 1.03, 0.97, 0.88, 0.84, 0.79, 0.76, 0.75),
)
_STREET_MILES = 3.5  # what a trip drives before most of the rest is by parkway
_STREET_MPH = 11.8
_PARKWAY_MPH = 31.0
_LUCK = 0.24  # standard deviation of the logarithm of the minutes: lights, lanes, drivers
_ZONE_RADIUS = 0.27  # miles: standard deviation of a door's place in its zone, each way


class _Kind(NamedTuple):
    """What sets one kind of trip apart."""

    booked: bool
    hours: tuple[int, ...]
    days: tuple[int, ...]
    reach: float  # miles beyond which trips become rare
    fading: float  # how fast they do: the power of the distance
    far: float  # how likely a trip is at any distance, of one next door
    waiting: float  # minutes that pass without a mile driven
    tick: int  # seconds: what the times are rounded down to


_HAILED = _Kind(False, _HAILED_HOURS, _HAILED_DAYS, 1.8, 3.4, 0.018, 1.5, 1)
_BOOKED = _Kind(True, _BOOKED_HOURS, _BOOKED_DAYS, 3.4, 2.1, 0.01, 1.7, 60)
_BOOKED_SHARE = 0.47


def trips(rows: int = 15_000, seed: int = 1) -> pd.DataFrame:
    """``rows`` trips of January 2021 in the TLC's columns and types, the same for the same seed.

    Distances are in miles, amounts in dollars, times the city's own, without a zone. Hailed trips
    come first, then booked ones, each by the hour of pickup, much as in the TLC's file: whoever
    splits the month by time must sort it.
    """
    rng = Generator(PCG64(seed))
    booked = round(rows * _BOOKED_SHARE)
    parts = [_month(rng, rows - booked, _HAILED), _month(rng, booked, _BOOKED)]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _month(rng: Generator, rows: int, kind: _Kind) -> pd.DataFrame:
    """The month's trips of one kind: driven, led astray here and there, then paid for."""
    driven = _driven(rng, rows, kind)
    strayed = strays.booked(rng, driven) if kind.booked else strays.hailed(rng, driven)
    paid = fares.booked(rng, strayed) if kind.booked else fares.hailed(rng, strayed)
    seconds = (paid.pop("minutes") * 60 // kind.tick * kind.tick).astype("timedelta64[s]")
    paid["lpep_dropoff_datetime"] = paid["lpep_pickup_datetime"] + seconds
    paid["ehail_fee"] = pd.Series([None] * rows, dtype=object)
    return paid


def _driven(rng: Generator, rows: int, kind: _Kind) -> pd.DataFrame:
    """Pickup time, both zones, miles and minutes of trips on which nothing went wrong."""
    table = zones()
    start, end = _places(rng, rows, kind)
    shift = rng.normal(0.0, _ZONE_RADIUS * np.sqrt(2), (2, rows))  # both doors' at once
    east = table.east[start] - table.east[end] + shift[0]
    north = table.north[start] - table.north[end] + shift[1]
    miles = DETOUR * np.hypot(east, north) * rng.lognormal(0.0, 0.08, rows)
    pickup = _pickups(rng, rows, kind)
    traffic = np.array(_TRAFFIC)[pickup.hour] * delays(table)[start, end]
    street = np.minimum(miles, _STREET_MILES)
    minutes = kind.waiting + 60 * (street / _STREET_MPH + (miles - street) / _PARKWAY_MPH)
    return pd.DataFrame(
        {
            "lpep_pickup_datetime": pickup,
            "minutes": minutes * traffic * rng.lognormal(0.0, _LUCK, rows),
            "PULocationID": table.number[start],
            "DOLocationID": table.number[end],
            "trip_distance": miles.round(2),
        }
    )


def _places(rng: Generator, rows: int, kind: _Kind) -> NDArray[np.int64]:
    """Where trips start and end: (2, rows) positions in the table of zones."""
    table = zones()
    starts = table.booked_start if kind.booked else table.hailed_start
    ends = table.booked_end if kind.booked else table.hailed_end
    appeal = 1 / (1 + (distances(table) / kind.reach) ** kind.fading) + kind.far
    shares = pair_shares(starts, ends, appeal)
    pairs = rng.choice(shares.size, rows, p=shares.ravel())
    return np.array(np.unravel_index(pairs, shares.shape))


def _pickups(rng: Generator, rows: int, kind: _Kind) -> pd.DatetimeIndex:
    """Pickup times in the order of their hours, at random within one, as meters report."""
    month = pd.date_range("2021-01-01", "2021-01-31", unit="us")
    weights = np.array(kind.days)[month.day_of_week] * [
        _HOLIDAYS.get(day, 1.0) for day in month.day
    ]
    hours = np.outer(weights, kind.hours).ravel()
    hour = np.sort(rng.choice(hours.size, rows, p=hours / hours.sum()))
    second = rng.integers(0, 3600, rows) // kind.tick * kind.tick
    return month[0] + pd.to_timedelta(hour * 3600 + second, unit="s").as_unit("us")
