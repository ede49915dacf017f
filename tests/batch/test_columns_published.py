"""Whole published tables, by columns and row by row."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv as pac
import pyarrow.parquet as pq
import pytest

from batch.columns.score import TableScorer
from tests.batch.support import CHURN, RIDE, by_columns, one_by_one
from tests.support import DATA_DIR, needs_real_data

MONTHS = [f"green/green_tripdata_{m}.parquet" for m in ("2021-01", "2021-02", "2021-03", "2022-01",
          "2023-01", "2023-02", "2023-03")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "month",
    [
        pytest.param(month, marks=[needs_real_data(month), *([pytest.mark.long] if at else [])])
        for at, month in enumerate(MONTHS)
    ],
)
def test_a_real_month(scorers: dict[str, TableScorer], month: str) -> None:
    """Every ride of it, by the linear model and by trees."""
    table = pq.read_table(DATA_DIR / month)
    columns = {n: table[n].combine_chunks() for n in RIDE.record.model_fields}
    values = table.select(list(columns)).to_pylist()
    for kind in ("ride", "ride-forest"):
        got = by_columns(scorers[kind], columns, len(values))
        assert got == one_by_one(scorers[kind].predictor, values)
        assert got["refused"]
        assert any(got["unseen"])


@pytest.mark.slow
@needs_real_data("telco_customer_churn.csv")
def test_the_real_customers(scorers: dict[str, TableScorer]) -> None:
    """Every one of them, spelt as published."""
    table = pac.read_csv(DATA_DIR / "telco_customer_churn.csv")
    table = table.rename_columns([name.lower() for name in table.column_names])
    values = table.select(list(CHURN.example)).to_pylist()
    columns = {name: table[name].combine_chunks() for name in CHURN.example}
    charges = [float(v["totalcharges"]) if v["totalcharges"].strip() else None for v in values]
    columns["totalcharges"] = pa.array(charges)
    values = [{**v, "totalcharges": c} for v, c in zip(values, charges, strict=True)]
    for kind in ("churn", "churn-forest"):
        got = by_columns(scorers[kind], columns, len(values))
        assert got == one_by_one(scorers[kind].predictor, values)
