"""Fixtures: artifacts of every model that is found, the app over them, a gunicorn over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from threadpoolctl import threadpool_limits

from scoring.app import create_app
from scoring.models import Model, discover
from scoring.settings import Settings
from tests.support import Server, serving, write_artifact

MODELS = discover()


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    """Each model that is found, in turn."""
    return MODELS[request.param]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny artifact of every model. Read it; write to a copy."""
    folder = tmp_path_factory.mktemp("models")
    for found in MODELS.values():
        write_artifact(found, folder)
    return folder


@pytest.fixture(scope="session")
def app(models_dir: Path) -> Flask:
    """The app over every model, as gunicorn loads it."""
    return create_app(Settings(models_dir=models_dir))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def server(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn with two workers over every model, shared by the tests that only ask it."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(models_dir, log, WORKERS="2") as running:
        yield running


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps boosting on one thread: several, on a machine busy with other tests, mostly wait for
    each other. Processes that the test starts keep to it, too."""
    pytest.importorskip("xgboost")  # brings threads of its own, which are limited once it is there
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with threadpool_limits(1):
        yield
