"""Make files in the shape of the bundled sample, of any size.

    python -m training.sample
    python -m training.sample --output data/large --trips 1000000 --seed 2

Random draws from plain distributions, reproducible by seed. A trip takes minutes that follow from
its distance, its pair of zones and the hour, a customer leaves by a logistic rule, and a few trips
are as wrong as the TLC's own (no distance, a meter left running, a date in 2009), so that training
has something to learn and something to drop. Nothing else in the files means anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.random import Generator
from numpy.typing import NDArray

from scoring.process.atomic_files import replacing
from scoring.process.usage import of_docstring
from training.sample import CUSTOMERS, TRIPS

_ZONES = 265
_EXTRAS = ("OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport")
_STREAMING = ("StreamingTV", "StreamingMovies")


def trips(rows: int, seed: int) -> pd.DataFrame:
    """Return `rows` trips of January 2021: times without a zone, miles, US dollars."""
    rng = np.random.default_rng(seed)
    # few zones see most trips; where they lie (in miles) is the same for every seed
    places = np.random.default_rng(2021).normal(0, 4, (_ZONES, 2))
    start, end = rng.zipf(1.3, (2, rows)) % _ZONES
    miles = 0.4 + 1.3 * np.linalg.norm(places[start] - places[end], axis=1) * rng.uniform(
        0.7, 1.3, rows
    )
    pickup = np.sort(rng.integers(0, 31 * 24 * 3600, rows))
    rush = 1 + 0.25 * np.sin((pickup / 3600 % 24 - 9) / 12 * np.pi)
    seconds = 60 * (2 + miles * 3.5 * rush) * rng.lognormal(0, 0.2, rows)
    wrong = rng.random(rows)
    seconds[wrong < 0.01] = rng.uniform(0, 59, rows)[wrong < 0.01]
    seconds[(wrong > 0.01) & (wrong < 0.015)] += 20 * 3600
    miles[(wrong > 0.015) & (wrong < 0.03)] = 0
    miles[(wrong > 0.03) & (wrong < 0.031)] *= 10_000
    begin = pd.Timestamp("2021-01-01") + pd.to_timedelta(pickup, unit="s")
    begin = begin.where(wrong < 0.9999, pd.Timestamp("2009-01-01"))
    fare = (2.5 + 2.5 * miles.clip(0, 30)).round(2)
    # what a dispatcher books lacks the fields that only a meter fills
    metered = np.where(rng.random(rows) < 0.5, 1.0, np.nan)
    surcharge = metered * rng.choice([0.0, 2.75], rows)
    return pd.DataFrame(
        {
            "VendorID": rng.integers(1, 3, rows),
            "lpep_pickup_datetime": begin,
            "lpep_dropoff_datetime": begin + pd.to_timedelta(seconds.astype(int), unit="s"),
            "store_and_fwd_flag": pd.Series("N", range(rows)).where(metered == 1, None),
            "RatecodeID": metered,
            "PULocationID": start + 1,
            "DOLocationID": end + 1,
            "passenger_count": metered * rng.integers(1, 7, rows),
            "trip_distance": miles.round(2),
            "fare_amount": fare,
            "extra": rng.choice([0.0, 0.5, 1.0], rows),
            "mta_tax": 0.5,
            "tip_amount": (fare * rng.choice([0, 0.2], rows)).round(2),
            "tolls_amount": rng.choice([0, 6.12], rows, p=[0.95, 0.05]),
            "ehail_fee": None,
            "improvement_surcharge": 0.3,
            "total_amount": (fare + 0.8 + np.nan_to_num(surcharge)).round(2),
            "payment_type": metered * rng.integers(1, 3, rows),
            "trip_type": metered,
            "congestion_surcharge": surcharge,
        }
    )


def customers(rows: int, seed: int) -> pd.DataFrame:
    """Return `rows` customers: `tenure` in months, charges in US dollars.

    TotalCharges is text, blank in the first month, as IBM publishes it.
    """
    rng = np.random.default_rng(seed)
    tenure = rng.integers(0, 73, rows)
    contract = np.minimum(rng.integers(0, 3, rows), tenure // 20)
    internet = rng.integers(0, 3, rows)  # no, DSL, fiber
    phone = rng.random(rows) < 0.9
    table = pd.DataFrame(
        {
            "customerID": [f"{n % 10_000:04d}-{_letters(n // 10_000)}" for n in range(rows)],
            "gender": rng.choice(["Female", "Male"], rows),
            "SeniorCitizen": rng.integers(0, 2, rows),
            "Partner": _yes_no(rng, rows),
            "Dependents": _yes_no(rng, rows),
            "tenure": tenure,
            "PhoneService": np.where(phone, "Yes", "No"),
            "MultipleLines": np.where(phone, _yes_no(rng, rows), "No phone service"),
            "InternetService": np.array(["No", "DSL", "Fiber optic"])[internet],
        }
    )
    for name in (*_EXTRAS, *_STREAMING):
        table[name] = np.where(internet > 0, _yes_no(rng, rows), "No internet service")
    table["Contract"] = np.array(["Month-to-month", "One year", "Two year"])[contract]
    table["PaperlessBilling"] = _yes_no(rng, rows)
    payments = ["Bank transfer (automatic)", "Credit card (automatic)"]
    payments += ["Electronic check", "Mailed check"]
    table["PaymentMethod"] = rng.choice(payments, rows)
    bought = (table[list(_EXTRAS)] == "Yes").sum(axis=1)
    monthly = 20.0 * phone + 25.0 * internet + 5.0 * bought
    monthly += 10.0 * (table[list(_STREAMING)] == "Yes").sum(axis=1)
    table["MonthlyCharges"] = monthly
    table["TotalCharges"] = [f"{total:g}" if total else " " for total in monthly * tenure]
    odds = 0.5 - 0.04 * tenure - 1.0 * contract + 0.6 * (internet == 2)
    table["Churn"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "Yes", "No")
    return table


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m training.sample", **of_docstring(__doc__))
    line.add_argument(
        "--output", type=Path, default=Path("data/sample"), metavar="DIR",
        help="folder to write to, made if needed (default: %(default)s)",
    )  # fmt: skip
    line.add_argument("--trips", type=int, default=15_000, metavar="N", help="rows of trips")
    line.add_argument("--customers", type=int, default=2_500, metavar="N", help="rows")
    line.add_argument("--seed", type=int, default=1, help="of the draws (default: 1)")
    return line


def main(argv: Sequence[str] | None = None) -> None:
    """Write both files into the folder that `--output` names."""
    options = parser().parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    month = pa.Table.from_pandas(trips(options.trips, options.seed), preserve_index=False)
    month = month.cast(pq.read_schema(TRIPS))
    with replacing(options.output / TRIPS.name) as file:
        pq.write_table(month, file, compression="zstd")
    with replacing(options.output / CUSTOMERS.name) as file:
        customers(options.customers, options.seed).to_csv(file, index=False)
    print(f"wrote {TRIPS.name} and {CUSTOMERS.name} into {options.output}")


def _yes_no(rng: Generator, rows: int) -> NDArray[np.str_]:
    return rng.choice(["Yes", "No"], rows)


def _letters(number: int) -> str:
    """Return five capital letters that stand for `number` in base 26."""
    return "".join(chr(ord("A") + number // 26**place % 26) for place in range(5))


if __name__ == "__main__":
    main()
