"""Prediction intervals: through the endpoint, and what they are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from scoring.artifact.calibration import TAILS, Calibration
from scoring.artifact.manifest import Manifest
from scoring.errors import ArtifactError, InvalidQuery
from scoring.intervals import Interval, level_of
from scoring.models import discover
from scoring.predictor import Predictor
from serving.app import create_app
from serving.settings import Settings
from tests.support import calibration, write_artifact

RIDE = discover()["ride"]
SHORT = {"PULocationID": 10, "DOLocationID": 50, "trip_distance": 5.0}  # 17 minutes
LONG = {"PULocationID": 10, "DOLocationID": 50, "trip_distance": 20.0}  # 62 minutes


def asked(client: FlaskClient, body: Any, query: str = "?interval=0.9") -> Any:
    return client.post(f"/predict/ride{query}", json=body)


def test_an_answer_has_its_interval(client: FlaskClient) -> None:
    """Of nine of ten truths: the errors beyond which a twentieth lies on either side, those of
    scores like this one. Without the parameter the answer is what it was."""
    for ride, error in ((SHORT, 9.1 / 4), (LONG, 9.1)):
        plain = asked(client, ride, "").get_json()
        answer = asked(client, ride).get_json()
        assert answer.pop("duration_low") == pytest.approx(plain["duration"] - error)
        assert answer.pop("duration_high") == pytest.approx(plain["duration"] + error)
        assert answer == plain


def test_an_array_has_an_interval_a_record(client: FlaskClient) -> None:
    """Those of the records alone, also behind explanations, and of a short array of one."""
    alone = [asked(client, ride).get_json() for ride in (SHORT, LONG)]
    for answer in alone:
        del answer["model_version"]
    assert asked(client, [SHORT, LONG]).get_json()["predictions"] == alone
    both = asked(client, [SHORT, LONG], "?interval=0.9&explain=true").get_json()["predictions"]
    for answer in both:
        del answer["explanation"]
    assert both == alone


def test_an_interval_ends_where_answers_do(client: FlaskClient) -> None:
    """No ride takes less than no time."""
    answer = asked(client, SHORT | {"trip_distance": 0.0}).get_json()
    assert answer["duration_low"] == 0.0


def test_a_wider_interval_holds_a_narrower_one(client: FlaskClient) -> None:
    """From half of all truths to 99 of 100; between two tails the wider one is taken."""
    widths = []
    for level in (0.5, 0.899, 0.9, 0.99):
        answer = asked(client, LONG, f"?interval={level}").get_json()
        widths.append(answer["duration_high"] - answer["duration_low"])
    assert widths[1] == widths[2]
    assert sorted(widths) == widths
    assert widths[0] == pytest.approx(2 * 5.1)
    assert widths[3] == pytest.approx(2 * 10)


@pytest.mark.parametrize("value", ["", "0.49", "0.991", "1", "90", "90%", "nan", "-inf", "true"])
def test_another_share_is_refused(client: FlaskClient, value: str) -> None:
    """With the shares that can be asked for."""
    response = asked(client, SHORT, f"?interval={value}")
    assert response.status_code == 422
    assert response.get_json()["errors"] == [
        {"field": "interval", "problem": "expected a number from 0.5 to 0.99"}
    ]


def test_a_classification_has_no_intervals(client: FlaskClient) -> None:
    """And says what they are of."""
    example = dict(discover()["churn"].example)
    for body in (example, [example]):
        response = client.post("/predict/churn?interval=0.9", json=body)
        assert response.status_code == 422
        [error] = response.get_json()["errors"]
        assert error["field"] == "interval"
        assert "intervals are of predicted numbers" in error["problem"]


@pytest.mark.slow
def test_an_artifact_without_calibration_gives_none(tmp_path: Path) -> None:
    """As any of before is; it serves as it did."""
    write_artifact(RIDE, tmp_path)
    client = create_app(Settings(models_dir=tmp_path, models=("ride",))).test_client()
    assert asked(client, SHORT, "").status_code == 200
    response = asked(client, SHORT)
    assert response.status_code == 422
    [error] = response.get_json()["errors"]
    assert (
        "was made without calibration: train it anew with python train.py ride"
        in (error["problem"])
    )
    assert client.get("/models/ride").get_json()["intervals"] is None
    properties = client.get("/openapi.json").get_json()["components"]["schemas"]["RidePrediction"]
    assert "duration_low" not in properties["properties"]


def test_the_catalogue_tells_what_is_given(client: FlaskClient) -> None:
    """From and to which share, and from which rows; OpenAPI has the ends."""
    found = client.get("/models/ride").get_json()["intervals"]
    assert found == {"least": 0.5, "most": 0.99, "split": "test", "rows": 500}
    assert client.get("/models/churn").get_json()["intervals"] is None
    described = client.get("/openapi.json").get_json()["components"]["schemas"]
    assert {"duration_low", "duration_high"} <= described["RidePrediction"]["properties"].keys()
    assert "churn_probability_low" not in described["ChurnPrediction"]["properties"]


def test_tables_and_tensors_ask_in_their_own_way(client: FlaskClient) -> None:
    """MLflow's forms by `params` or the query, CSV by the query, V2 by `parameters`."""
    expected = asked(client, SHORT).get_json()
    del expected["model_version"]
    sent = {"instances": [SHORT], "params": {"interval": 0.9}}
    assert client.post("/invocations", json=sent).get_json() == {"predictions": [expected]}
    csv = ",".join(SHORT) + "\n" + ",".join(map(str, SHORT.values()))
    posted = client.post("/invocations?interval=0.9", data=csv, content_type="text/csv")
    assert posted.get_json() == {"predictions": [expected]}
    inputs = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in SHORT.items()
    ]
    tensors: dict[str, Any] = {"inputs": inputs, "parameters": {"interval": 0.9}}
    made = client.post("/v2/models/ride/infer", json=tensors).get_json()["outputs"]
    found = {output["name"]: output["data"][0] for output in made}
    ends = ("duration", "duration_low", "duration_high")
    assert {name: found[name] for name in ends} == {name: expected[name] for name in ends}
    tensors["outputs"] = [{"name": "duration_high"}]
    [only] = client.post("/v2/models/ride/infer", json=tensors).get_json()["outputs"]
    assert only["datatype"] == "FP64"
    assert only["data"] == [expected["duration_high"]]
    del tensors["parameters"]  # without the interval there is no such output
    assert client.post("/v2/models/ride/infer", json=tensors).status_code == 422


@pytest.mark.parametrize("wrong", [True, None, [0.9], {}, 10**400])
def test_a_parameter_that_is_no_number_is_refused(client: FlaskClient, wrong: Any) -> None:
    """In MLflow's form, in V2, and by whoever else asks."""
    with pytest.raises(InvalidQuery):
        level_of(wrong)
    if wrong == 10**400:
        return  # no JSON that we read
    sent = {"instances": [SHORT], "params": {"interval": wrong}}
    assert client.post("/invocations", json=sent).status_code == 422


def test_the_interval_is_that_of_the_groups_score(models_dir: Path) -> None:
    """A score at an edge belongs to the group above it."""
    interval = Interval(Predictor.from_folder(models_dir / "ride", RIDE), 0.5)
    assert interval.of(29.9) == pytest.approx((29.9 - 5.1 / 4, 29.9 + 5.1 / 4))
    assert interval.of(30.0) == pytest.approx((30 - 5.1, 30 + 5.1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        {"edges": [1.0, 2.0]},
        {"edges": [float("nan")]},
        {"rows": 10},
        {"below": [[0.0] * TAILS]},
        {"above": [[0.0] * (TAILS - 1)] * 2},
        {"below": [[-1.0] * (TAILS - 1) + [-2.0]] * 2},
        {"above": [[-1.0] * TAILS] * 2},
    ],
    ids=["groups", "nan", "rows", "few", "short", "order", "sign"],
)
def test_a_damaged_calibration_is_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    """By the form itself, and by the service at its start."""
    whole = calibration(RIDE)
    assert whole is not None
    with pytest.raises(ValidationError):
        Calibration.model_validate({**whole.model_dump(), **damage})
    write_artifact(RIDE, tmp_path, calibration=whole)
    path = tmp_path / "ride" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["calibration"] |= damage
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"manifest\.json cannot be used: calibration"):
        Predictor.from_folder(tmp_path / "ride", RIDE)


def test_a_manifest_of_before_has_no_calibration(tmp_path: Path) -> None:
    """It is read as it was."""
    manifest = write_artifact(RIDE, tmp_path, calibration=calibration(RIDE))
    content = json.loads(manifest.content())
    del content["calibration"]
    assert Manifest.model_validate(content).calibration is None
