"""The headers that every answer carries."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from scoring.models import Model, discover
from serving.http.headers import request_id

NEW = re.compile(r"[0-9a-f]{32}")
GOOD = ["a", "7", "7590-VHVEG", "4bf92f3577b34da6a3ce929d0e0e4736", "a/b+c=@~:._-", "x" * 128]
BAD = ["", " ", "-a", ".a", "a b", "a\tb", "a\nb", "a\r\nSet-Cookie: b", "é", "a;b", '"', "x" * 129]


@pytest.mark.parametrize("given", GOOD)
def test_a_well_formed_id_is_kept(client: FlaskClient, given: str) -> None:
    """The caller finds its own id on the answer."""
    assert request_id(given) == given
    response = client.get("/ping", headers={"X-Request-ID": given})
    assert response.headers.getlist("X-Request-ID") == [given]


@pytest.mark.parametrize("given", [*BAD, "a\n", None], ids=ascii)
def test_an_ill_formed_id_is_exchanged(given: str | None) -> None:
    """What could forge a header or a log line is not repeated; a new id stands in its place."""
    assert NEW.fullmatch(request_id(given))
    assert request_id(given) != request_id(given)


@pytest.mark.parametrize("given", ["a b", "-a", "x" * 129, "a;b"])
def test_an_ill_formed_id_is_not_sent_back(client: FlaskClient, given: str) -> None:
    """The same over HTTP."""
    response = client.get("/ping", headers={"X-Request-ID": given})
    assert NEW.fullmatch(response.headers["X-Request-ID"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/ping"), ("GET", "/models"), ("GET", "/health/live"),
        ("GET", "/health/ready"), ("POST", "/predict"), ("GET", "/predict"), ("GET", "/nowhere"),
        ("POST", "/predict/tips"), ("OPTIONS", "/predict"), ("HEAD", "/ping"), ("BREW", "/ping"),
    ],
)  # fmt: skip
def test_every_answer_carries_the_headers(client: FlaskClient, method: str, path: str) -> None:
    """Good or bad, whatever the method: an id, a version, and no guessing of the type."""
    response = client.open(path, method=method)
    assert NEW.fullmatch(response.headers["X-Request-ID"])
    default = client.get("/models").get_json()["models"][0]["version"]
    assert response.headers.getlist("Model-Version") == [default]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_version_is_that_of_the_model_asked(client: FlaskClient, model: Model) -> None:
    """A route that names a model tells this model's version, also with an error."""
    version = client.get(f"/models/{model.name}").get_json()["version"]
    for response in (
        client.post(f"/predict/{model.name}", json=dict(model.example)),
        client.post(f"/predict/{model.name}", json={}),
        client.post(f"/predict/{model.name}", data="x"),
        client.get(f"/models/{model.name}"),
    ):
        assert response.headers.getlist("Model-Version") == [version]


def test_the_models_of_the_tests_have_versions_of_their_own(client: FlaskClient) -> None:
    """Else the test above could not fail."""
    versions = {model["version"] for model in client.get("/models").get_json()["models"]}
    assert len(versions) == len(discover())
