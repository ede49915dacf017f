"""A shared MLflow server as teams run it: PostgreSQL, proxied artifacts, basic authentication."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.scoring.registry.mlflow_server import QUIET, Mlflow, mlflow_server
from tests.scoring.registry.rides import RIDES
from tests.support import ROOT, environment, free_port, post, serving, skip_or_fail, wait_for

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
ADMIN = ("admin", "a password of 12")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The SQLAlchemy address of a PostgreSQL server of these tests' own."""
    if BIN is None:
        skip_or_fail("PostgreSQL is not installed: apt-get install postgresql")
    # it will not run as root, and its user must be able to enter the folder
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    data, port = folder / "data", free_port()
    make = [f"{BIN}/initdb", "-D", str(data), "-U", "mlflow", "-A", "trust", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True, cwd=folder, **user)
    command = [f"{BIN}/postgres", "-D", str(data), "-p", str(port), "-k", str(folder)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, **user)
    asked = [f"{BIN}/pg_isready", "-h", "127.0.0.1", "-p", str(port)]
    try:
        wait_for(
            lambda: subprocess.run(asked, capture_output=True).returncode == 0,
            "PostgreSQL",
            timeout_s=60,
        )
        yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///auth.db\n"
        f"admin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    words = ["--app-name", "basic-auth", "--backend-store-uri", postgres]
    given = {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini")}
    given["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "of the tests"
    with mlflow_server(folder, *words, auth=ADMIN, **given) as server:
        yield server


@pytest.mark.long
def test_train_promote_and_serve_over_a_shared_server(shared: Mlflow, tmp_path: Path) -> None:
    """A registered training is promoted and served with a name and a password; without them the
    service says what is missing, and no log holds the password."""
    assert requests.get(f"{shared.url}/api/2.0/mlflow/registered-models/search").status_code == 401
    name, password = ADMIN
    given = {"MLFLOW_TRACKING_URI": shared.url, **QUIET}
    login = {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
    for words in (
        [ROOT / "train.py", "ride", "--register"],
        ["-m", "training.registry", "promote", "ride", "1", "--why", "the first"],
    ):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path, capture_output=True, text=True,
            env=environment(**given, **login, PYTHONPATH=str(ROOT)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    settings = {"MODELS": "ride", "REGISTRY_POLL_SECONDS": "0.5", **given}
    log = tmp_path / "log"
    with serving(
        tmp_path, log, **settings, **login, REGISTRY_CACHE=str(tmp_path / "cache"), WORKERS="2"
    ) as server:
        answer = post(f"{server.url}/predict/ride", RIDES[0]).json()
        assert answer["model_version"] == "1"
        told = requests.get(f"{server.url}/models/ride", timeout=30).json()
        assert told["metrics"]["test"]["rmse"] > 0
        assert told["registry"]["alias"] == "champion"
    assert password not in log.read_text()
    refused = {**settings, "MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": "wrong"}
    refused |= {"MODEL_FALLBACK": "image", "REGISTRY_CACHE": str(tmp_path / "other")}
    with serving(tmp_path / "models", log, **refused, WORKERS="1") as server:
        told = requests.get(f"{server.url}/models/ride", timeout=30).json()
        assert "MLFLOW_TRACKING_PASSWORD" in told["registry"]["problem"]
        assert told["version"] != "1"
    assert "wrong" not in log.read_text()
