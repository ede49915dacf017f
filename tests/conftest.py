"""Fixtures: artifacts of every model that is found, the app over them, a gunicorn over them."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from threadpoolctl import threadpool_limits

from scoring.models import Model, discover
from serving.app import App, create_app
from serving.settings import Settings
from tests.support import Server, calibration, serving, write_artifact
from tests.support.chance import begin_anew
from tests.support.containers import alone, docker, need_engine

MODELS = discover()
os.environ.pop("MODELS_DIR", None)  # make exports it: what tests write must not go there


@pytest.fixture(scope="module", autouse=True)
def _addresses_are_forgotten() -> Iterator[None]:
    """MLflow keeps the addresses that it is told in the environment, where the programs of the next
    file's tests would find them."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    yield
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        if name not in before:
            del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _chance_begins_anew() -> None:
    begin_anew()


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    """Each model that is found, in turn."""
    return MODELS[request.param]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny artifact of every model. Read it; write to a copy."""
    folder = tmp_path_factory.mktemp("models")
    for found in MODELS.values():
        write_artifact(found, folder, calibration=calibration(found))
    return folder


@pytest.fixture(scope="session")
def app(models_dir: Path) -> App:
    """The app over every model, as gunicorn loads it."""
    return create_app(Settings(models_dir=models_dir))


@pytest.fixture
def client(app: App) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def server(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn with two workers over every model, shared by the tests that only ask it."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(models_dir, log, WORKERS="2") as running:
        yield running


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Build an image from a folder and return its tag; all of them are removed in the end."""
    need_engine()
    base = tmp_path_factory.getbasetemp()
    lock = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "docker-build.lock"
    tags: list[str] = []
    steps: set[str] = set()

    def made(folder: Path, *options: str) -> str:
        tag = f"prediction-service-test:{uuid.uuid4().hex}"
        with alone(lock):
            told = docker("build", "-t", tag, *options, str(folder), timeout_s=1200)
        tags.append(tag)
        if (folder / "models").exists():
            # Without BuildKit every step leaves an image without a name. Those of the clean tree
            # are the next build's cache; models that are made for one test are of no more use.
            steps.update(re.findall(r"^ ---> ([0-9a-f]{12})$", told, re.MULTILINE))
        return tag

    yield made
    with alone(lock):
        for tag in tags:
            docker("rmi", "-f", tag)
        for step in steps & set(docker("images", "-q", "-f", "dangling=true").split()):
            docker("rmi", step)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep boosting on one thread: several, on a machine busy with other tests, mostly wait for
    each other. Processes that the test starts keep to it, too."""
    pytest.importorskip("xgboost")  # brings threads of its own, which are limited once it is there
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with threadpool_limits(1):
        yield
