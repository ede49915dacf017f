"""The bundled data: made up, in the publishers' columns and types, and fit to learn from.

The two files are part of the project and stay as they are, because figures in the documentation and
tests come from them. `python -m training.sample` makes other files of the same shape, of any size.
"""

from pathlib import Path

TRIPS: Path = Path(__file__).with_name("green_tripdata_sample.parquet")
"""One month of taxi trips as the TLC publishes them: 15,000 rows."""

CUSTOMERS: Path = Path(__file__).with_name("telco_customers_sample.csv")
"""Customers of a telephone company, and whether they left, as IBM publishes them: 2,500 rows."""
