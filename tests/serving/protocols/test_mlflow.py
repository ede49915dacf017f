"""MLflow's protocol over HTTP: its own client, and what SageMaker asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from flask.testing import FlaskClient

from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings
from tests.support import Server, records

RIDE = discover()["ride"]
CHURN = discover()["churn"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow's, at its import
def test_mlflows_own_client_changes_only_the_address(server: Server) -> None:
    """Its ping, its version, and a DataFrame's predictions in both formats that it has."""
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client: Any = ScoringServerClient("127.0.0.1", server.port)  # type: ignore[no-untyped-call] # MLflow's
    client.wait_server_ready(timeout=30)
    assert client.get_version()
    frame = pd.DataFrame(records(RIDE, 4))
    expected = [
        answer["duration"]
        for answer in requests.post(
            f"{server.url}/predict", json=records(RIDE, 4), timeout=30
        ).json()["predictions"]
    ]
    table = client.invoke(frame).get_predictions("dataframe")
    assert table["duration"].tolist() == pytest.approx(expected)
    numbers = client.invoke(frame, params={"output": "numbers"}).get_predictions("ndarray")
    np.testing.assert_allclose(numbers, expected)
    rows = client.invoke(records(RIDE, 4)).get_predictions()
    assert rows["duration"].tolist() == pytest.approx(expected)
    frame.loc[2, "trip_distance"] = -1
    with pytest.raises(Exception, match=r"error code 422.*\[2\]\.trip_distance"):
        client.invoke(frame)
    frame.loc[2, "trip_distance"] = float("nan")  # which the client sends as no JSON has it
    with pytest.raises(Exception, match="error code 400.*NaN"):
        client.invoke(frame)


@pytest.mark.slow
def test_the_default_model_answers(models_dir: Path) -> None:
    """With MODELS=churn,ride it is churn, and the answer carries its version."""
    served = Settings(models=("churn", "ride"), models_dir=models_dir)
    client = create_app(served).test_client()
    answer = client.post("/invocations", json={"instances": [dict(CHURN.example)]})
    assert set(answer.get_json()["predictions"][0]) >= {"churn_probability", "churn"}
    assert answer.headers["Model-Version"] == client.get("/models/churn").get_json()["version"]


def test_every_bad_field_is_named_with_its_row(client: FlaskClient) -> None:
    """The rows of a DataFrame are counted as those of an array are."""
    rows = records(RIDE, 3)
    data = [list(row.values()) for row in rows]
    data[1][0], data[3][2] = "x", None
    sent = {"dataframe_split": {"columns": list(rows[0]), "data": data}}
    answer = client.post("/invocations", json=sent)
    assert answer.status_code == 422
    fields = {error["field"] for error in answer.get_json()["errors"]}
    assert fields == {"[1].PULocationID", "[3].trip_distance"}


@pytest.mark.parametrize("media_type", ["text/plain", None, "text/csv; charset=utf-16"])
def test_another_kind_of_body_is_refused(client: FlaskClient, media_type: str | None) -> None:
    """415, as a problem document that names both kinds that are taken, or what is amiss."""
    answer = client.post("/invocations", data=b"{}", content_type=media_type)
    assert answer.status_code == 415
    assert answer.mimetype == "application/problem+json"
    assert "text/csv" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("header", "sent", "status", "said"),
    [
        ("present", "PULocationID,DOLocationID,trip_distance\n74,75,2.5\n", 200, []),
        ("Present", "DOLocationID,PULocationID,trip_distance\n75,74,2.5\n", 200, []),
        ("absent", "74,75,2.5\n", 200, []),
        ("present", "74,75,2.5\n74,75,2.5\n", 422,
         ["PULocationID", "DOLocationID", "trip_distance"]),
        ("present", "a,b,c\n74,75,2.5\n", 422, ["PULocationID", "DOLocationID", "trip_distance"]),
        ("absent", "PULocationID,DOLocationID,trip_distance\n74,75,2.5\n", 422,
         ["[0].PULocationID", "[0].DOLocationID", "[0].trip_distance"]),
        ("absent", "74,75\n", 422, ["[0]"]),
        ("maybe", "74,75,2.5\n", 415, []),
        ("", "74,75,2.5\n", 415, []),
    ],
)  # fmt: skip
def test_a_csvs_header_is_what_its_content_type_says(
    client: FlaskClient, header: str, sent: str, status: int, said: list[str]
) -> None:
    """RFC 4180: `present` or `absent`, whatever the first line looks like."""
    kind = f'text/csv; header="{header}"'
    answer = client.post("/invocations", data=sent, content_type=kind)
    assert answer.status_code == status
    if status == 200:
        ride = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}
        expected = client.post("/predict", json=[ride]).get_json()["predictions"]
        assert answer.get_json() == {"predictions": expected}
    elif status == 415:
        assert "neither 'present'" in answer.get_json()["detail"]
    assert [error["field"] for error in answer.get_json().get("errors", [])] == said


def test_the_limits_are_those_of_predict(models_dir: Path) -> None:
    """MAX_RECORDS and MAX_BODY_BYTES hold for every form."""
    served = Settings(models_dir=models_dir, max_records=2, max_body_bytes=1000)
    client = create_app(served).test_client()
    for sent in (records(RIDE, 2), {"instances": records(RIDE, 2)}):
        answer = client.post("/invocations", json=sent)
        assert answer.status_code == 413
        assert "3 records" in answer.get_json()["detail"]
    for media_type in ("text/csv", "application/json"):
        answer = client.post("/invocations", data=b" " * 1001, content_type=media_type)
        assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_mlflows_other_addresses_answer(client: FlaskClient, path: str) -> None:
    """200 each, and GET alone."""
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 405
