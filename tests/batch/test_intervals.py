"""Prediction intervals as columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scoring.intervals import Interval
from scoring.predictor import Predictor
from tests.batch.conftest import Ended
from tests.batch.support import RIDE, write_rides

Batch = Callable[..., Ended]


@pytest.mark.slow
def test_an_interval_is_two_more_columns(batch: Batch, tmp_path: Path, models_dir: Path) -> None:
    """Those of the endpoint; a column of that name becomes an input's; a share beyond the limits
    and a model without calibration end the run before it begins."""
    write_rides(tmp_path / "a.parquet", 300, duration_low=[1.0] * 300)
    ended = batch("ride", "a.parquet", "--output", "out.parquet", "--interval", "0.9")
    assert ended.status == 0, ended.err
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows.column("duration_low_input").to_pylist() == [1.0] * 300
    interval = Interval(Predictor.from_folder(models_dir / "ride", RIDE), 0.9)
    values = rows.select(["PULocationID", "DOLocationID", "trip_distance"]).to_pylist()
    scored_rows = Predictor.from_folder(models_dir / "ride", RIDE).many(values)
    ends = [interval.ends(score) for score in scored_rows.scores]
    for name in ("duration_low", "duration_high"):
        assert rows.column(name).to_pylist() == [end[name] for end in ends]
    ended = batch("ride", "a.parquet", "--output", "b.parquet", "--interval", "9")
    assert ended.status == 2
    assert "expected a number from 0.5 to 0.99, got '9'" in ended.err
    ended = batch("churn", "a.parquet", "--output", "c.parquet", "--interval", "0.9")
    assert ended.status == 2
    assert "--interval: 'churn' answers with probabilities" in ended.err


def test_an_empty_table_has_the_columns_of_an_interval(batch: Batch, tmp_path: Path) -> None:
    """As one of many rows has."""
    write_rides(tmp_path / "a.parquet", 0)
    assert batch("ride", "a.parquet", "--output", "o.parquet", "--interval", "0.5").status == 0
    assert {"duration_low", "duration_high"} <= {
        *pq.read_table(tmp_path / "o.parquet").column_names
    }
