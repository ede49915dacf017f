"""Keys and other sites' pages, on every route."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import create_environ

from scoring.models import discover
from serving.app import App, create_app
from serving.http.route_info import ENVIRON_KEY
from serving.settings import Settings

EXAMPLE = dict(next(iter(discover().values())).example)
SHOP = {"Authorization": "Bearer one"}
WATCHER = {"Authorization": "Bearer two"}
HERE = "https://shop.example"


@pytest.fixture
def locked(app: App, tmp_path: Path) -> FlaskClient:
    """An app that asks for keys."""
    lines = [
        f"{name} {scope} sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        for name, scope, key in [("shop", "predict", "one"), ("watcher", "admin", "two")]
    ]
    (tmp_path / "keys").write_text("\n".join(lines))
    settings = Settings(api_keys_file=tmp_path / "keys")
    return create_app(settings, app.services.predictors).test_client()


def test_without_keys_whoever_reaches_the_port_may_ask(client: FlaskClient) -> None:
    """As before."""
    assert client.post("/predict", json=EXAMPLE).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/predict"), ("POST", "/predict/churn"), ("GET", "/models"), ("GET", "/"),
     ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nowhere"), ("PUT", "/predict"),
     ("POST", "/invocations"), ("POST", "/v2/models/ride/infer"), ("OPTIONS", "/predict")],
)  # fmt: skip
def test_every_route_asks_for_a_key(locked: FlaskClient, method: str, path: str) -> None:
    """401 as a problem document that says how, also where there is no page."""
    response = locked.open(path, method=method)
    assert response.status_code == 401
    assert response.content_type == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "X-API-Key" in response.get_json()["detail"]
    assert response.headers["X-Request-ID"]
    assert locked.open(path, method=method, headers=SHOP).status_code != 401


def start_response(
    _status: str, _headers: list[tuple[str, str]], _error: Any = None
) -> Callable[[bytes], object]:
    """Take the answer's head as a WSGI server does, and forget it."""
    return bytes


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "route"), [
    ("GET", "/nowhere", "_other"), ("PUT", "/predict", "_other"), ("GET", "/models", "/models"),
    ("POST", "/predict/tips", "/predict/<name>"),
])  # fmt: skip
def test_every_answer_is_told_whose_key_it_was(
    locked: FlaskClient, method: str, path: str, route: str
) -> None:
    """Also 404 and 405: the log names who guesses addresses."""
    environ = create_environ(path, method=method, headers=SHOP)
    locked.application(environ, start_response)
    info = environ[ENVIRON_KEY]
    assert (info.route, info.key) == (route, "shop")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/ping", "/health", "/health/live", "/health/ready", "/v2/health/live"]
)
def test_probes_ask_for_none(locked: FlaskClient, path: str) -> None:
    """A load balancer has no key."""
    assert locked.get(path).status_code == 200


@pytest.mark.slow
def test_a_key_lets_in(locked: FlaskClient) -> None:
    """In either header."""
    for headers in (SHOP, WATCHER, {"X-API-Key": "one"}):
        assert locked.post("/predict", json=EXAMPLE, headers=headers).status_code == 200


def sited(app: App, *origins: str) -> FlaskClient:
    settings = Settings(cors_origins=origins)
    return create_app(settings, app.services.predictors).test_client()


@pytest.mark.slow
def test_other_sites_get_nothing_unless_listed(app: App, client: FlaskClient) -> None:
    """No header of CORS by default, and none for a site that is not on the list."""
    for asked in (client, sited(app, "https://other.example")):
        preflight = {"Origin": HERE, "Access-Control-Request-Method": "POST"}
        for response in (
            asked.post("/predict", json=EXAMPLE, headers={"Origin": HERE}),
            asked.options("/predict", headers=preflight),
        ):
            assert not [n for n, _ in response.headers if n.startswith("Access-Control-Allow")]


@pytest.mark.slow
@pytest.mark.parametrize("listed", [HERE, "*"])
def test_a_listed_site_may_ask_and_read(app: App, listed: str) -> None:
    """The preflight says what may be sent, the answer what may be read; errors are readable too."""
    asked = sited(app, "https://other.example", listed)
    headers = {"Origin": HERE, "Access-Control-Request-Method": "POST"}
    preflight = asked.options("/predict", headers=headers)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == HERE
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    for value, status in ((EXAMPLE, 200), ({}, 422)):
        answer = asked.post("/predict", json=value, headers={"Origin": HERE})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == HERE
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
