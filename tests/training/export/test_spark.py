"""Spark's own SQL scores an export as the service does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import installed
from tests.support.programs import skip_or_fail
from tests.training.export.exported import MODELS, form_of, predictor_of
from training.export.formats import FORMATS
from training.export.package import export


@pytest.mark.spark
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("ride", "linear"), ("churn", "xgboost"), ("shop", "linear"), ("flowers", "boosting")],
)
def test_spark_scores_as_the_service(name: str, kind: str, tmp_path: Path) -> None:
    """Each category known and new, each missing value; what is refused has no score."""
    assert name in MODELS
    installed("java", package="default-jre-headless")
    which = FORMATS["sql-spark"]
    made = export(predictor_of(name, kind), form_of(name, kind), tmp_path / "out", which)
    if "not_run" in made["proof"]:
        skip_or_fail(made["proof"]["not_run"])
    assert made["proof"]["refused"]
