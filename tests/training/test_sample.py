"""The bundled files, and the command that makes others in their shape."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from scoring.models import discover
from tests.training.support import silent
from training.run import train
from training.sample import CUSTOMERS, TRIPS
from training.sample.__main__ import main


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with both files, as the command makes them."""
    main(["--output", str(tmp_path / "new"), "--trips", "2000", "--customers", "900"])
    return tmp_path / "new"


def test_the_bundled_files_stay_as_they_are() -> None:
    """Figures in the documentation and in other tests come from exactly these bytes."""
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest()[:12] for p in (TRIPS, CUSTOMERS)}
    assert digests == {TRIPS.name: "7c811287b609", CUSTOMERS.name: "3235730dde5e"}


@pytest.mark.slow
def test_the_command_writes_both_files_and_nothing_else(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is made, and holds as many rows as were asked for."""
    assert {path.name for path in made.iterdir()} == {TRIPS.name, CUSTOMERS.name}
    assert pq.read_metadata(made / TRIPS.name).num_rows == 2000
    assert len(pd.read_csv(made / CUSTOMERS.name)) == 900


@pytest.mark.slow
def test_the_columns_and_types_are_those_of_the_bundled_files(made: Path) -> None:
    """What reads the bundled files, or the publishers', reads the made ones."""
    assert pq.read_schema(made / TRIPS.name).equals(pq.read_schema(TRIPS))
    ours, bundled = (
        pd.read_csv(folder / CUSTOMERS.name, keep_default_na=False)
        for folder in (made, CUSTOMERS.parent)
    )
    assert ours.dtypes.to_dict() == bundled.dtypes.to_dict()
    for name in ("gender", "InternetService", "TechSupport", "Contract", "PaymentMethod", "Churn"):
        assert set(ours[name]) == set(bundled[name])
    assert ours["customerID"].is_unique


@pytest.mark.slow
def test_the_same_seed_makes_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    """The rows follow from the arguments alone."""
    content = []
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main(
            [
                "--output",
                str(tmp_path / folder),
                "--trips",
                "300",
                "--customers",
                "99",
                "--seed",
                seed,
            ]
        )
        content.append([p.read_bytes() for p in sorted((tmp_path / folder).iterdir())])
    assert content[0] == content[1]
    assert all(one != other for one, other in zip(content[0], content[2], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ride", "churn"])
def test_a_model_learns_from_the_made_files(
    name: str, made: Path, tmp_path: Path, without_plots: None
) -> None:
    """Trained on them, it is better than the trivial model, and some rows are left out."""
    file = made / (TRIPS if name == "ride" else CUSTOMERS).name
    manifest = train(silent(discover()[name], file, tmp_path))
    assert manifest.metrics["test"]
    assert manifest.dropped or name == "churn"
