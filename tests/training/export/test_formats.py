"""What a format's own program makes of an export is what the service answers."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.support import DATA_DIR, needs_real_data
from tests.support.programs import skip_or_fail
from tests.training.export.exported import CASES, MODELS, form_of, predictor_of
from training.data.checks import check
from training.data.tables import read
from training.export.formats import FORMATS
from training.export.package import export
from training.golden import golden_records
from training.sources import source_of

# a Java machine for each takes its seconds: a few of each kind
NOT_IN_PMML = {("ride", "forest"), ("ride", "boosting"), ("churn", "boosting"), ("shop", "linear")}
SHORT = {("ride", "linear"), ("ride", "xgboost"), ("churn", "boosting"), ("flowers", "forest")}
HERE = [name for name in FORMATS if name != "sql-spark"]  # test_spark.py is about that
REAL = {"ride": "green/green_tripdata_2021-01.parquet", "churn": "telco_customer_churn.csv"}


def proved(name: str, kind: str, to: str, folder: Path, records: object = ()) -> dict[str, object]:
    """Return the proof of an export; skip or fail where the program that judges it is not here."""
    form = form_of(name, kind)
    assert isinstance(records, list | tuple)
    made = export(predictor_of(name, kind), form, folder / to, FORMATS[to], records)
    proof: dict[str, object] = made["proof"]
    if "not_run" in proof:
        skip_or_fail(str(proof["not_run"]))
    return proof


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "shared_postgres")
@pytest.mark.parametrize(
    ("to", "name", "kind"),
    [
        pytest.param(to, *case, marks=[] if case in SHORT else pytest.mark.long)
        for to, case in itertools.product(HERE, CASES)
        if to != "pmml" or case not in NOT_IN_PMML
    ],
)
def test_every_format_scores_as_the_service(to: str, name: str, kind: str, tmp_path: Path) -> None:
    """Each category known and new, each threshold, each missing value; what the service refuses is
    refused."""
    proof = proved(name, kind, to, tmp_path)
    assert isinstance(proof["records"], int)
    assert proof["records"] > 1000
    if FORMATS[to].refuses:
        assert proof["refused"]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "shared_postgres")
@pytest.mark.parametrize(
    ("to", "name", "kind"),
    [
        (to, name, kind)
        for to in HERE
        for name, kind in [("ride", "sample"), ("ride", "xgboost"), ("churn", "sample")]
        if to != "pmml" or name == "churn"
    ],
)
@needs_real_data(*REAL.values())
def test_every_real_row_scores_as_in_the_service(
    to: str, name: str, kind: str, tmp_path: Path
) -> None:
    """Every ride of a month, and the whole table of customers."""
    model = MODELS[name]
    source = source_of(model)
    frame = check(read(model, source, [DATA_DIR / REAL[name]]), model, source).frame
    records = golden_records(frame, model, len(frame))
    assert len(records) > 7000
    proved(name, kind, to, tmp_path, records)
