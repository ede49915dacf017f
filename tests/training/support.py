"""What the training tests share: small tables in the publishers' shape, and quick trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from scoring.models import Model, discover
from tests.support import records
from training.data.tables import Table
from training.run import Options
from training.sample import CUSTOMERS

RIDE = discover()["ride"]
CHURN = discover()["churn"]

# For each estimator, so few rounds that a training takes a moment.
SMALL: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 10},
    "boosting": {"max_iter": 10},
    "xgboost": {"n_estimators": 10},
    "means": {"max_iter": 10},
}


TimeUnit = Literal["ms", "us", "ns"]


def trips(rows: int = 300, *, cab: str = "lpep", unit: TimeUnit = "us") -> pd.DataFrame:
    """Return trips as the TLC has them, every one of them usable: one starts each minute, and takes
    four minutes, three for each mile, and up to two more."""
    number = np.arange(rows)
    miles = 0.5 + number * 7 % 20 * 0.5
    minutes = 4 + 3 * miles + number * 11 % 5 * 0.5
    begin = pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(number, unit="min"))
    end = begin + pd.to_timedelta((minutes * 60).astype("int64"), unit="s")
    return pd.DataFrame(
        {
            "VendorID": 2,
            f"{cab}_pickup_datetime": begin.dt.as_unit(unit),
            f"{cab}_dropoff_datetime": end.dt.as_unit(unit),
            "PULocationID": 1 + number % 5,
            "DOLocationID": 41 + number % 3,
            "trip_distance": miles,
            "fare_amount": 2.5 * miles,
        }
    )


def customers(rows: int = 400) -> pd.DataFrame:
    """Return the first customers of the bundled sample, as their publisher has them."""
    return pd.read_csv(CUSTOMERS, keep_default_na=False, nrows=rows)


def plain_rows(model: Model, rows: int = 400) -> pd.DataFrame:
    """Return usable rows of any model, its fields and its target: larger where the record's last
    quantity is larger, or the class of that."""
    made = records(model)[1:]
    frame = pd.DataFrame([made[number % len(made)] for number in range(rows)])
    numeric = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name])]
    quantity = frame[numeric[-1]].astype("float64")
    target = quantity > quantity.median() if model.task == "classification" else 2 + 3 * quantity
    return frame.assign(**{model.target: target.astype("float64")})


def rows_of(model: Model, rows: int = 400) -> pd.DataFrame:
    """Return usable rows in the shape in which `model`'s data is published."""
    published = {RIDE.name: trips, CHURN.name: customers}
    return published[model.name](rows) if model.name in published else plain_rows(model, rows)


def saved(frame: pd.DataFrame, path: Path) -> Path:
    """Write the table as its suffix says and return the path."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


def data_of(model: Model, folder: Path, rows: int = 400) -> Path:
    """Write `rows` usable rows of `model` into `folder` and return the path."""
    return saved(rows_of(model, rows), folder / ("a.parquet" if model is RIDE else "a.csv"))


def table(frame: pd.DataFrame) -> Table:
    """Return the table as it would be after reading."""
    return Table(frame, "a.csv", "0" * 64)


def silent(model: Model, data: Path, output: Path, **more: Any) -> Options:
    """Return options for a training that prints nothing."""
    return Options(**{"model": model, "data": [data], "output": output, "log": len, **more})
