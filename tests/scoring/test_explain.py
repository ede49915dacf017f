"""What moved a prediction, over the API: exact where the model is linear, honest where not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from scoring.models import Model, discover
from serving.app import create_app
from serving.settings import Settings
from tests.support import records, write_artifact


def _answer(client: FlaskClient, model: Model, body: Any, query: str = "?explain=true") -> Any:
    response = client.post(f"/predict/{model.name}{query}", json=body)
    assert response.status_code == 200, response.text
    return response.json


@pytest.mark.slow
def test_base_and_contributions_add_up_to_the_score(client: FlaskClient, model: Model) -> None:
    """Of a linear model the parts sum to the score, in log-odds where it is a classification."""
    for row in records(model, 5):
        got = _answer(client, model, row)
        found = got["explanation"]
        parts = [line["contribution"] for line in found["contributions"]]
        assert found["exact"] is True
        assert found["total"] == pytest.approx(found["base"] + sum(parts))
        score = found["total"]
        if model.task == "classification":
            assert found["unit"] == "log-odds"
            score = 1 / (1 + math.exp(-score))
        answer = {name: got[name] for name in model.answer(0.5, 0.5)}
        assert answer == pytest.approx(model.answer(score, model.threshold))


def test_every_feature_is_there_and_the_largest_contribution_first(
    client: FlaskClient, model: Model
) -> None:
    """The explanation names each feature once, with the value it had, by size."""
    found = _answer(client, model, dict(model.example))["explanation"]["contributions"]
    made = model.features(model.record.model_validate(dict(model.example)))
    assert {line["feature"]: line["value"] for line in found} == made
    sizes = [abs(line["contribution"]) for line in found]
    assert sizes == sorted(sizes, reverse=True)


def test_an_unseen_category_moves_nothing(client: FlaskClient) -> None:
    """A pair of zones that training never saw contributes zero, and the answer names it."""
    row = {"PULocationID": 264, "DOLocationID": 264, "trip_distance": 1.0}
    got = _answer(client, discover()["ride"], row)
    pair = {line["feature"]: line["contribution"] for line in got["explanation"]["contributions"]}
    assert got["unseen"] == ["PU_DO=264_264"]
    assert pair["PU_DO"] == 0


def test_an_array_is_explained_record_by_record(client: FlaskClient, model: Model) -> None:
    """Each record of an array carries the explanation that it gets alone."""
    rows = records(model, 3)
    together = _answer(client, model, rows)["predictions"]
    alone = [_answer(client, model, row)["explanation"] for row in rows]
    assert [answer["explanation"] for answer in together] == alone


def test_the_plain_answer_carries_no_explanation(client: FlaskClient, model: Model) -> None:
    """Who does not ask gets the contract's answer and nothing more; other queries are ignored."""
    plain = _answer(client, model, dict(model.example), "")
    assert "explanation" not in plain
    assert _answer(client, model, dict(model.example), "?explain=false&x=1") == plain


def test_the_default_model_explains_too(client: FlaskClient) -> None:
    """POST /predict takes the same query."""
    default = next(iter(discover().values()))
    response = client.post("/predict?explain=true", json=dict(default.example))
    assert response.json == _answer(client, default, dict(default.example))


def test_a_wrong_value_of_the_query_is_named(client: FlaskClient, model: Model) -> None:
    """explain=maybe is a 422 whose error names the parameter."""
    response = client.post(f"/predict/{model.name}?explain=maybe", json=dict(model.example))
    assert response.status_code == 422
    assert response.get_json()["errors"] == [
        {"field": "explain", "problem": "expected true or false"}
    ]


def test_too_many_records_are_not_explained(client: FlaskClient) -> None:
    """1001 records to explain are a 413, while as many are predicted."""
    rows = [dict(discover()["ride"].example)] * 1001
    assert client.post("/predict/ride?explain=true", json=rows).status_code == 413
    assert client.post("/predict/ride", json=rows).status_code == 200


_FORESTS = {
    "regression": lambda: RandomForestRegressor(n_estimators=5, random_state=1),
    "classification": lambda: RandomForestClassifier(n_estimators=5, random_state=1),
}


def _forest(model: Model, folder: Path, **facts: Any) -> FlaskClient:
    write_artifact(model, folder, _FORESTS[model.task](), **facts)
    return create_app(Settings(models_dir=folder, models=(model.name,))).test_client()


def _profile(model: Model) -> dict[str, dict[str, Any]]:
    """As training writes it: of the first of our records."""
    row = records(model, 9)[5]
    return {
        name: {"most_frequent": [[value, 3]], "quantiles": {"0.5": value}}
        for name, value in row.items()
    }


@pytest.mark.slow
def test_a_forest_is_explained_one_field_at_a_time(tmp_path: Path, model: Model) -> None:
    """Not linear: each number is what the score loses with the usual value, and it says so."""
    client = _forest(model, tmp_path, profile=_profile(model))
    row = records(model, 30)[25]
    got = _answer(client, model, row)
    found = got["explanation"]
    assert found["exact"] is False
    assert "RandomForest" in found["reason"]
    assert {line["feature"] for line in found["contributions"]} == set(row)
    for line in found["contributions"]:
        other = {**row, line["feature"]: line["instead_of"]}
        key = next(iter(model.answer(0.5, 0.5)))
        difference = got[key] - _answer(client, model, other)[key]
        assert line["contribution"] == pytest.approx(difference)
    assert any(line["contribution"] for line in found["contributions"])


@pytest.mark.slow
def test_without_a_profile_a_forest_says_that_it_cannot(tmp_path: Path, model: Model) -> None:
    """A pair that was adopted has no profile: no contributions, and the reason."""
    client = _forest(model, tmp_path)
    found = _answer(client, model, dict(model.example))["explanation"]
    assert found["contributions"] == []
    assert "not available for RandomForest" in found["reason"]
