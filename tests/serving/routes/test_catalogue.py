"""GET /models and GET /models/<model>: what is served."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from flask.testing import FlaskClient

from scoring.artifact.manifest import MANIFEST
from scoring.models import Model, discover
from serving.app import create_app
from serving.fields import record_schema
from serving.settings import Settings


def test_every_model_is_listed_in_its_order(client: FlaskClient) -> None:
    """The list names the default and holds each model as its own page does, but for the time."""
    response = client.get("/models")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.get_json()["default"] == next(iter(discover()))
    assert [found["name"] for found in response.get_json()["models"]] == list(discover())
    for found in response.get_json()["models"]:
        assert client.get(f"/models/{found['name']}").get_json() == found


def test_a_model_tells_what_its_manifest_says(
    client: FlaskClient, models_dir: Path, model: Model
) -> None:
    """Version, digest, training and metrics are those of the artifact."""
    found = client.get(f"/models/{model.name}").get_json()
    manifest = json.loads((models_dir / model.name / MANIFEST).read_text())
    assert found["version"] == manifest["version"]
    assert found["digest"] == "sha256:" + manifest["sha256"]
    for name in ("estimator", "data", "metrics", "baseline", "notes"):
        assert found[name] == manifest[name]
    trained, loaded = (datetime.fromisoformat(found[name]) for name in ("trained", "loaded"))
    assert trained == datetime.fromisoformat(manifest["created"])
    assert trained <= loaded


def test_a_model_tells_how_to_ask_it(client: FlaskClient, model: Model) -> None:
    """The record's schema and an example, which is answered when sent as it stands."""
    found = client.get(f"/models/{model.name}").get_json()
    assert found["record"] == record_schema(model)
    assert list(found["example"]) == list(found["record"]["required"])
    assert client.post(f"/predict/{model.name}", json=found["example"]).status_code == 200
    for name in ("title", "registered_name", "task", "target", "unit"):
        assert found[name] == getattr(model, name)


def test_only_a_classification_has_a_threshold(client: FlaskClient) -> None:
    """A duration is compared with nothing."""
    assert client.get("/models/churn").get_json()["threshold"] == 0.5
    assert client.get("/models/ride").get_json()["threshold"] is None


def test_a_model_that_is_not_served_is_not_found(client: FlaskClient) -> None:
    """An unknown name is a 404 that names those that are there, not the caller's."""
    response = client.get("/models/tips")
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert ", ".join(discover()) in response.get_json()["detail"]
    assert "tips" not in response.text


def test_models_that_are_not_named_are_not_listed(models_dir: Path) -> None:
    """MODELS=churn serves churn alone, and `POST /predict` asks it."""
    app = create_app(Settings(models_dir=models_dir, models=("churn",)))
    found = app.test_client().get("/models").get_json()
    assert found["default"] == "churn"
    assert [model["name"] for model in found["models"]] == ["churn"]
    assert app.test_client().get("/models/ride").status_code == 404
    answer = app.test_client().post("/predict", json=found["models"][0]["example"]).get_json()
    assert "churn_probability" in answer
