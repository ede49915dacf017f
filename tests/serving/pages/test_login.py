"""The pages of a service with API keys: the question for a key, and what is open without one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from serving.app import create_app
from serving.settings import Settings

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
KEY = {"X-API-Key": "one"}


@pytest.fixture(scope="module")
def closed(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"shop predict sha256:{hashlib.sha256(b'one').hexdigest()}\n")
    return create_app(Settings(models_dir=models_dir, api_keys_file=file)).test_client()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/docs", "/models/ride/card", "/models"])
def test_a_browser_without_a_key_is_asked_for_one(closed: FlaskClient, path: str) -> None:
    """401 with our own page: the browser itself does not ask, so it keeps nothing."""
    answer = closed.get(path, headers=HTML)
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Vary"] == "Accept"
    assert '<input id="login-key" name="key" type="password" autocomplete="off"' in answer.text
    assert "ride" not in answer.text
    assert closed.get(path, headers=HTML | KEY).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_a_program_without_a_key_gets_the_problem(closed: FlaskClient, accept: str) -> None:
    """As before, with the ways to send a key."""
    answer = closed.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer, Basic")
    assert closed.post("/models/ride/try", headers=HTML).mimetype == "application/problem+json"


def test_what_pages_are_made_of_needs_no_key(closed: FlaskClient) -> None:
    """Styles and scripts are the release's, the same for everybody."""
    html = closed.get("/", headers=HTML).text
    style = html.partition('rel="stylesheet" href="')[2].partition('"')[0]
    with closed.get(style) as answer:
        assert answer.status_code == 200


def test_what_is_copied_sends_the_key_from_a_variable(closed: FlaskClient) -> None:
    """curl and Python have it as API_KEY; the key itself stands nowhere."""
    html = closed.get("/", headers=HTML | KEY).text
    assert "-H &#34;X-API-Key: $API_KEY&#34;" in html
    assert "os.environ[&#34;API_KEY&#34;]" in html
