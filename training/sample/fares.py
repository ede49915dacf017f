"""What a trip costs and how it is paid: the columns of the TLC's file that follow from the trip.

What a hailed trip costs was fitted to the fares of January 2021; a booked one costs what a
dispatcher asks. The ride model reads none of these columns: they give the file the TLC's shape.
"""

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from training.sample import draws
from training.sample.zones import CORE, JFK

_METERED, _TO_JFK, _AGREED = 1.0, 2.0, 5.0  # RatecodeID
_CARD, _CASH, _FREE, _DISPUTED = 1.0, 2.0, 3.0, 4.0  # payment_type
_PASSENGERS = {1.0: 0.9, 2.0: 0.059, 5.0: 0.018, 3.0: 0.008, 6.0: 0.008, 4.0: 0.004, 0.0: 0.003}
_PAYMENTS = {_CARD: 0.603, _CASH: 0.388, _FREE: 0.007, _DISPUTED: 0.002}
_TOLL = 6.12  # dollars
_CONGESTION = 2.75  # dollars


def hailed(rng: Generator, trips: pd.DataFrame) -> pd.DataFrame:
    """Adds the columns a meter fills; a few trips are paid back, with every amount below zero."""
    rows = len(trips)
    paid = trips.assign(
        VendorID=np.where(rng.random(rows) < 0.176, 1, 2),
        store_and_fwd_flag=pd.Series(np.where(rng.random(rows) < 0.0066, "Y", "N"), dtype="str"),
        RatecodeID=_rates(rng, trips),
        passenger_count=draws.values(rng, _PASSENGERS, rows),
        payment_type=draws.values(rng, _PAYMENTS, rows),
    )
    agreed = paid["RatecodeID"] == _AGREED
    paid["trip_type"] = np.where(agreed, 2.0, 1.0)
    paid["fare_amount"] = _metered_fare(rng, paid)
    paid["extra"] = np.where(agreed, 0.0, _rush_and_night(paid))
    paid["mta_tax"] = np.where(agreed, 0.0, 0.5)
    paid["improvement_surcharge"] = 0.3
    paid["tolls_amount"] = _tolls(rng, paid, 0.046)
    core = paid["PULocationID"].isin(CORE) | paid["DOLocationID"].isin(CORE)
    paid["congestion_surcharge"] = np.where(core & ~agreed, _CONGESTION, 0.0)
    tipped = (paid["payment_type"] == _CARD) & (rng.random(rows) < 0.8)
    tip = paid["fare_amount"] * rng.choice([0.18, 0.2, 0.25, 0.3], rows)
    paid["tip_amount"] = np.where(tipped, tip, 0.0).round(2)
    return _add_up(_pay_back(rng, paid))


def booked(rng: Generator, trips: pd.DataFrame) -> pd.DataFrame:
    """Adds the same columns to booked trips: those that only a meter fills are null."""
    rows = len(trips)
    miles = trips["trip_distance"].clip(upper=30.0)  # nobody was charged for 100,000 miles
    fare = 13.7 + 1.8 * miles + 0.1 * trips["minutes"] + rng.normal(0.0, 5.5, rows)
    paid = trips.assign(
        VendorID=np.where(rng.random(rows) < 0.003, 1, 2),
        store_and_fwd_flag=pd.Series([None] * rows, dtype="str"),
        fare_amount=fare.clip(lower=3.0).round(2),
        extra=draws.values(rng, {0.0: 0.6, 2.75: 0.38, 5.5: 0.02}, rows),
        mta_tax=0.0,
        improvement_surcharge=0.3,
        tip_amount=draws.values(rng, {0.0: 0.41, 2.75: 0.54, 5.0: 0.05}, rows),
        tolls_amount=_tolls(rng, trips, 0.134),
    )
    metered = ["RatecodeID", "passenger_count", "payment_type", "trip_type", "congestion_surcharge"]
    paid[metered] = np.nan
    return _add_up(paid)


def _rates(rng: Generator, trips: pd.DataFrame) -> NDArray[np.float64]:
    """The rate: by the meter but for some agreed fares and the flat one to the airport."""
    agreed = np.where(rng.random(len(trips)) < 0.034, _AGREED, _METERED)
    return np.where(trips["DOLocationID"] == JFK, _TO_JFK, agreed)


def _metered_fare(rng: Generator, paid: pd.DataFrame) -> pd.Series:
    """Dollars: what the meter shows, what was agreed, or the flat fare to the airport."""
    minutes = paid["minutes"].clip(upper=180.0)
    metered = (
        2.5
        + ((1.9 + 2.07 * paid["trip_distance"] + 0.337 * minutes - 2.5).clip(lower=0.0) * 2).round()
        / 2
    )
    agreed = rng.choice([10.0, 12.0, 15.0, 20.0, 30.0], len(paid))
    fare = np.where(paid["RatecodeID"] == _AGREED, agreed, metered)
    return pd.Series(np.where(paid["RatecodeID"] == _TO_JFK, 52.0, fare), index=paid.index)


def _rush_and_night(paid: pd.DataFrame) -> NDArray[np.float64]:
    """Dollars on top: 1 on weekdays from four to eight in the evening, 0.5 from eight to six."""
    pickup = paid["lpep_pickup_datetime"].dt
    rush = pickup.hour.between(16, 19) & (pickup.day_of_week < 5)
    night = (pickup.hour >= 20) | (pickup.hour < 6)
    return np.select([rush, night], [1.0, 0.5], 0.0)


def _tolls(rng: Generator, trips: pd.DataFrame, share: float) -> NDArray[np.float64]:
    """Dollars: one bridge for about ``share`` of the trips, all of them long."""
    long = trips["trip_distance"].rank(pct=True) > 1 - 2 * share
    return np.where(long & (rng.random(len(trips)) < 0.5), _TOLL, 0.0)


def _pay_back(rng: Generator, paid: pd.DataFrame) -> pd.DataFrame:
    """Turns a few trips of under three miles into refunds: the amounts below zero, nothing paid."""
    short = np.flatnonzero(paid["trip_distance"] < 3)
    count = min(short.size, max(1, round(0.0032 * len(paid))))
    back = rng.choice(short, count, replace=False) if count else short
    amounts = ["fare_amount", "extra", "mta_tax", "improvement_surcharge"]
    paid.loc[back, amounts] = 0.0 - paid.loc[back, amounts]  # and no -0.0
    paid.loc[back, ["tip_amount", "tolls_amount", "congestion_surcharge"]] = 0.0
    paid.loc[back, "payment_type"] = rng.choice([_FREE, _DISPUTED], count, p=[0.78, 0.22])
    return paid


def _add_up(paid: pd.DataFrame) -> pd.DataFrame:
    """Adds ``total_amount``; a null surcharge counts as none."""
    parts = ["fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount"]
    more = ["improvement_surcharge", "congestion_surcharge"]
    return paid.assign(total_amount=paid[parts + more].sum(axis=1).round(2))
