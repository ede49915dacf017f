"""How the service is: for load balancers, and a first word for people."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from scoring.models import Model, discover
from serving.app import App, create_app
from serving.settings import Settings


def test_ping_is_answered_with_four_letters(client: FlaskClient) -> None:
    """PONG, as plain text, without a newline."""
    response = client.get("/ping")
    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    assert response.data == b"PONG"


def test_a_process_that_answers_is_live(client: FlaskClient) -> None:
    """Liveness asks nothing of models or registry."""
    response = client.get("/health/live")
    assert (response.status_code, response.json) == (200, {"status": "live"})
    assert response.mimetype == "application/json"


def test_a_service_that_started_is_ready_with_every_model(client: FlaskClient) -> None:
    """Readiness names each model and its version."""
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    versions = {
        model["name"]: model["version"] for model in client.get("/models").get_json()["models"]
    }
    assert response.json == {"status": "ready", "models": versions}
    assert list(response.json["models"]) == list(discover())


def test_the_front_page_says_where_to_post(client: FlaskClient, model: Model) -> None:
    """A short text for people names each model's address and title."""
    response = client.get("/")
    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    assert f"  /predict/{model.name}  {model.title}" in response.text.splitlines()


def test_a_head_request_gets_no_body(client: FlaskClient) -> None:
    """Load balancers ask with HEAD, too."""
    response = client.head("/ping")
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("path", ["/health/ready", "/v2/health/ready", "/v2/models/ride/ready"])
def test_a_service_that_is_stopping_is_not_ready(app: App, path: str) -> None:
    """503 in either protocol, with when to try elsewhere; liveness stays."""
    stopping = create_app(Settings(), app.services.predictors)
    client = stopping.test_client()
    assert client.get(path).status_code == 200
    stopping.services.lifetime.stopping = True
    response = client.get(path)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert "stopping" in response.get_json()["detail"]
    assert client.get("/v2/health/live").status_code == 200
