"""Whole real months on the cluster: `make test-spark`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scoring.predictor import Predictor
from tests.batch.conftest import Ended
from tests.batch.spark.test_cluster import content, report
from tests.batch.support import RIDE, one_by_one
from tests.support import DATA_DIR, needs_real_data

pytestmark = pytest.mark.spark

MONTHS = [f"green/green_tripdata_2021-{month:02}.parquet" for month in (1, 2, 3)]


@needs_real_data(*MONTHS)
def test_months_by_file_by_spark_and_by_the_api_have_the_same_columns(
    spark: Callable[..., tuple[int, str, str]], batch: Callable[..., Ended], tmp_path: Path,
    models_dir: Path,
) -> None:  # fmt: skip
    """Every part to the byte, and each answer that of a request."""
    words = ["ride", *(DATA_DIR / name for name in MONTHS)]
    code, _, err = spark(*words, "--output", tmp_path / "spark")
    assert code == 0, err
    assert batch(*words, "--output", tmp_path / "one").status == 0
    assert content(tmp_path / "spark") == content(tmp_path / "one")
    assert report(tmp_path / "spark") == report(tmp_path / "one")
    fields = list(RIDE.record.model_fields)
    table = pq.read_table(tmp_path / "spark" / "part-00000-00000.parquet")
    answers = one_by_one(
        Predictor.from_folder(models_dir / "ride", RIDE), table.select(fields).to_pylist()
    )
    assert not answers["refused"]
    assert table["duration"].to_pylist() == answers["answers"]["duration"]
    assert table["unseen"].to_pylist() == answers["unseen"]
