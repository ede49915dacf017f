"""How sure an answer is, in words beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scoring.models import discover
from scoring.predictor import Predictor
from serving.pages.answers import result
from serving.pages.sure import sure, typical
from tests.furnished import furnish

RIDE, CHURN = discover()["ride"], discover()["churn"]
FORM = {"PULocationID": "74", "DOLocationID": "75", "trip_distance": "0.5"}


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    folder = tmp_path_factory.mktemp("sure")
    for model in (RIDE, CHURN):
        furnish(model, folder)
    return {
        model.name: Predictor.from_folder(folder / model.name, model) for model in (RIDE, CHURN)
    }


def measured(predictor: Predictor, found: dict[str, Any]) -> Predictor:
    """Return the predictor with other metrics of its test data."""
    manifest = predictor.manifest.model_copy(update={"metrics": {"test": found}})
    return Predictor(predictor.model, replace(predictor.artifact, manifest=manifest))


@pytest.mark.slow
def test_an_answer_says_how_far_it_is_usually_off(client: FlaskClient) -> None:
    """By the band of the record, else by all of the data, and in digits that such an error leaves
    sense to."""
    near = client.post("/models/ride/try", data=FORM).text
    assert "Typically off by 3 minutes (Distance 0 to 1 of the test data, 481 rows)" in near
    far = client.post("/models/ride/try", data=FORM | {"trip_distance": "1"}).text
    assert "Typically off by 5 minutes (all of the test data, 1,500 rows)" in far


@pytest.mark.slow
def test_a_model_with_intervals_says_between_which_numbers_the_truth_lies(
    app: Flask, models_dir: Path
) -> None:
    """The API's own interval of nine in ten, in words, in the JSON and in the copied requests; none
    in words beyond training."""
    client = app.test_client()
    record = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 0.5}
    told = client.post("/predict/ride?interval=0.9", json=record).get_json()
    page = client.post("/models/ride/try", data=FORM).text
    ends = f"{told['duration_low']:.0f} to {told['duration_high']:.0f} minutes"
    assert f"{ends} in 9 of 10 predictions (by 500 rows of the test data)" in page
    assert page.count("/predict/ride?interval=0.9") == 2
    ride = Predictor.from_folder(models_dir / "ride", RIDE)
    assert json.loads(result(ride, record).json) == told
    assert sure(ride, record, {"duration": 9.0, "beyond": ["trip_distance=40"]}, 9.0).words == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.42, "150 rows of the test data were given 40 to 50_%; it came true for 40_% of them"),
        (1.0, "150 rows of the test data were given 90 to 100_%; it came true for 90_% of them"),
        (0.05, "Only 19 rows of the test data were given 0 to 10_%: too few to tell how often that "
         "comes true"),
        (0.15, ""),
    ],
    ids=["in the middle", "certain", "few rows", "odd rows"],
)  # fmt: skip
def test_a_probability_says_how_often_it_came_true(
    predictors: dict[str, Predictor], score: float, words: str
) -> None:
    """Of the rows that were given one like it, where they are enough to tell."""
    churn = predictors["churn"]
    bands = churn.manifest.metrics["test"]["bands"]
    odd = [{"band": "tenure 0-1", "rows": 9}, {"band": "probability 0.1-0.2", "rows": "many"}]
    told = measured(churn, {"rows": 9, "bands": [*odd, bands[0] | {"rows": 19}, *bands[2:]]})
    assert sure(told, {}, {}, score).words.replace("\N{NO-BREAK SPACE}", "_") == words


@pytest.mark.parametrize(
    "found",
    [
        {"rows": 9},
        {"rows": 9, "mae": "3"},
        {"rows": 9, "mae": 0.0},
        {"rows": 9, "bands": [{"band": "trip_distance 1-2", "mae": True}, 7]},
    ],
    ids=["no error", "a text", "no error at all", "bands of another shape"],
)
def test_an_error_that_was_not_measured_is_not_told(
    predictors: dict[str, Predictor], found: dict[str, Any]
) -> None:
    """A manifest may hold anything: what is no error is left out."""
    assert typical(measured(predictors["ride"], found), {"trip_distance": 1.5}) is None
