"""The service below a path: by SCRIPT_NAME, and by what a trusted proxy says."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from serving.app import App, create_app
from serving.settings import Settings

PROXY, STRANGER = "10.0.0.7", "192.0.2.1"


def client(app: App, script_name: str | None = None) -> FlaskClient:
    """Return a client of an app that trusts PROXY."""
    trusted = (ip_network("10.0.0.0/8"),)
    settings = Settings(script_name=script_name, trusted_proxies=trusted)
    return create_app(settings, app.services.predictors).test_client()


def home(client: FlaskClient, path: str, prefix: str = "", peer: str = PROXY) -> TestResponse:
    headers = {"Accept": "text/html", "X-Forwarded-Prefix": prefix}
    return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer})


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/ml", "/ml/", "/"])
def test_script_name_is_in_every_address_of_a_page(app: App, path: str) -> None:
    """Styles, forms and the documents; a probe that comes straight to the port is answered too."""
    page = home(client(app, "/ml"), path)
    assert page.status_code == 200
    assert 'href="/ml/assets/' in page.text
    assert 'action="/ml/models/ride/try#ride"' in page.text
    assert "http://localhost/ml/predict/ride" in page.text
    assert 'href="/ml/openapi.json"' in page.text
    assert '="/assets/' not in page.text


def test_a_name_that_only_begins_alike_is_not_the_prefix(app: App) -> None:
    """/mlflow is not below /ml."""
    assert client(app, "/ml").get("/mlpredict").status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/shop/ml/"])
def test_a_trusted_proxy_names_its_prefix(app: App, path: str) -> None:
    """Whether it takes it off the path or not; SCRIPT_NAME comes behind it."""
    assert 'href="/shop/assets/' in home(client(app), "/", "/shop/").text
    assert 'href="/shop/ml/assets/' in home(client(app, "/ml"), path, "/shop").text
    assert 'href="/ml/assets/' in home(client(app, "/ml"), "/", "/ml").text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "peer"),
    [
        ("/shop", STRANGER),
        ("//evil.example", PROXY),
        ("/a b", PROXY),
        ("shop", PROXY),
        ("/", PROXY),
    ],
)
def test_no_other_prefix_is_believed(app: App, prefix: str, peer: str) -> None:
    """A stranger's, and what is no path."""
    assert 'href="/assets/' in home(client(app), "/", prefix, peer).text


def test_predictions_and_keys_know_no_prefix(app: App) -> None:
    """The same routes answer below it."""
    mounted = client(app, "/ml")
    for path in ("/ml/ping", "/ping", "/ml/health/ready"):
        assert mounted.get(path).status_code == 200
    assert mounted.post("/ml/predict", json={}).status_code == 422
