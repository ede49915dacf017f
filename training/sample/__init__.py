"""The data that comes with the project: made by its own code, the same each time, true to life.

``python -m training.sample`` makes both files again. It is needed after a change to ``trips``,
``customers`` or what they import; a test compares the files with what the code gives.
"""

from pathlib import Path

TRIPS: Path = Path(__file__).with_name("green_tripdata_sample.parquet")
"""One month of green-taxi-like trips, in the columns and types the TLC publishes."""

CUSTOMERS: Path = Path(__file__).with_name("telco_customers_sample.csv")
"""Customers of a telephone company and whether they left, in the columns IBM publishes."""
