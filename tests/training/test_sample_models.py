"""The models that `make run` serves: trained on the bundled sample."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from scoring.artifact.reading import load
from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings
from tests.training.support import (
    CHURN,
    RIDE,
)
from training.run import Options, train
from training.sources import source_of

pytestmark = pytest.mark.usefixtures("without_plots")


SAMPLED = tuple(name for name, model in discover().items() if source_of(model).sample)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models that have a bundled sample, trained on it as `make run` trains them."""
    folder = tmp_path_factory.mktemp("models")
    for model in discover().values():
        if source_of(model).sample:
            train(Options(model=model, output=folder, log=lambda _: None))
    return folder


@pytest.fixture
def client(trained: Path) -> FlaskClient:
    """The service over the models of the sample."""
    return create_app(Settings(models_dir=trained, models=SAMPLED)).test_client()


@pytest.mark.slow
def test_the_plots_stand_beside_the_artifact(trained: Path) -> None:
    """Nothing else does."""
    assert {path.name for path in (trained / "ride").iterdir()} == {
        "error_by_trip_distance.png",
        "lin_reg.bin",
        "manifest.json",
        "profile.json",
        "scorer.json",
        "predicted_against_actual.png",
    }
    assert {path.name for path in (trained / "churn").iterdir()} == {
        "calibration.png",
        "confusion_matrix.png",
        "manifest.json",
        "model_C=1.0.bin",
        "precision_recall.png",
        "profile.json",
        "roc.png",
        "scorer.json",
    }


@pytest.mark.slow
def test_a_longer_ride_takes_longer(client: FlaskClient) -> None:
    """For every pair of zones, known or not, from a mile to thirty."""
    for zones in ((74, 75), (41, 42), (10, 50)):
        ride = dict(zip(("PULocationID", "DOLocationID"), zones, strict=True))
        asked = [{**ride, "trip_distance": miles} for miles in (0.5, 1, 3, 10, 30)]
        answers = client.post("/predict/ride", json=asked).get_json()["predictions"]
        minutes = [answer["duration"] for answer in answers]
        assert all(later > sooner for sooner, later in itertools.pairwise(minutes))
        assert 1 < minutes[0] < 30
        assert 20 < minutes[-1] < 120


@pytest.mark.slow
def test_a_two_year_contract_churns_less(client: FlaskClient) -> None:
    """Less than one year, and that less than month to month; long-standing customers stay, too."""

    def churn(**changes: Any) -> float:
        answer = client.post("/predict/churn", json={**CHURN.example, **changes}).get_json()
        assert "unseen" not in answer
        probability: float = answer["churn_probability"]
        return probability

    contracts = [churn(contract=c) for c in ("month-to-month", "one_year", "two_year")]
    assert contracts == sorted(contracts, reverse=True)
    assert contracts[2] < contracts[0] / 2
    assert churn(tenure=60, totalcharges=60 * 29.85) < churn()


@pytest.mark.slow
def test_the_sample_makes_both_models_better_than_trivial(trained: Path) -> None:
    """By far."""
    ride = load(trained / "ride", RIDE).manifest
    assert ride.metrics["test"]["rmse"] < 0.75 * ride.baseline["test"]["rmse"]
    churn = load(trained / "churn", CHURN).manifest
    assert churn.metrics["test"]["auc"] > 0.75
