"""Evidently's drift report over two Parquet files of predictions, as its documentation has it.

    .venv-evidently/bin/python benchmarks/rivals/monitoring_evidently.py REFERENCE CURRENT HTML

Prints the seconds of CPU from its imports' end to the written page.
"""

from __future__ import annotations

import sys
import time

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

CATEGORIES = ["PULocationID", "DOLocationID"]
NUMBERS = ["trip_distance", "score", "hour"]


def dataset(path: str) -> Dataset:
    """Return the five fields of a file."""
    frame = pd.read_parquet(path, columns=["time", *CATEGORIES, "trip_distance", "score"])
    frame["hour"] = frame.pop("time").dt.hour
    frame[CATEGORIES] = frame[CATEGORIES].astype(str)  # names, as the service counts them
    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=CATEGORIES)
    return Dataset.from_pandas(frame, data_definition=definition)


def main() -> None:
    """Compare and write the page."""
    began = time.process_time()
    reference, current, html = sys.argv[1:]
    made = Report([DataDriftPreset()]).run(dataset(current), dataset(reference))
    made.save_html(html)
    print(time.process_time() - began)


main()
