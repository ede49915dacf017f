"""The factory joins settings, models and routes; importing does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scoring.errors import ArtifactError, SettingsError
from serving.app import App, create_app
from serving.http.access import ROUTES
from serving.settings import Settings
from tests.support import ROOT, environment

IMPORT_ALL = """
import importlib, os, pathlib, sys
import flask, gunicorn.http.errors, gunicorn.util, numpy, pydantic, sklearn.exceptions
import sklearn.feature_extraction, prometheus_client

class Model(pydantic.BaseModel):  # what pydantic looks up once, it has looked up by now
    field: int = pydantic.Field(default=1, description="")

class Environment(dict):
    def get(self, *key):
        if str(key).startswith("('PYDANTIC_"):  # it asks with every class that is made
            return None
        sys.exit(f"read the variable {key}")
    __getitem__ = __contains__ = __iter__ = keys = items = get

def watch(event, words):
    if watching and event == "open" and ".py" not in os.path.basename(words[0]):
        sys.exit(f"opened {words[0]}")
    if watching and event in {"subprocess.Popen", "socket.connect", "os.system", "os.putenv"}:
        sys.exit(f"{event} {words}")

root = pathlib.Path(sys.argv[1])
files = [file.relative_to(root).with_suffix("") for file in root.glob("scoring/**/*.py")]
modules = [".".join(file.parts).removesuffix(".__init__") for file in files]
environ, os.environ, sys.argv = os.environ, Environment(), None
watching = True
sys.addaudithook(watch)
for name in modules:
    importlib.import_module(name)
watching, os.environ = False, environ
print(len(modules))
"""


@pytest.mark.long
@pytest.mark.slow
def test_importing_opens_no_file_and_reads_no_environment() -> None:
    """Every module of the package can be imported without doing anything."""
    found = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, str(ROOT / "web-service")],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    assert int(found.stdout) > 15


def test_the_factory_serves_what_the_settings_name(models_dir: Path) -> None:
    """Settings say where the models are and which."""
    app = create_app(Settings(models_dir=models_dir, models=("churn",), max_body_bytes=10))
    client = app.test_client()
    assert client.get("/models").get_json()["default"] == "churn"
    assert client.post("/predict", json={"a": "longer than ten"}).status_code == 413


def test_the_factory_serves_the_predictors_that_it_is_given(app: App) -> None:
    """Given predictors are served as they are; no folder is looked at."""
    given = app.services.predictors
    made = create_app(Settings(models_dir=Path("nowhere"), models=("tips",)), given)
    assert made.services.predictors is given
    assert made.test_client().get("/health/ready").status_code == 200


def test_without_settings_the_environment_is_asked(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`create_app()` is what gunicorn's user gets."""
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    monkeypatch.setenv("MODELS", "churn,ride")
    monkeypatch.setenv("MAX_RECORDS", "2")
    client = create_app().test_client()
    assert client.get("/models").get_json()["default"] == "churn"
    assert client.post("/predict", json=[1, 2, 3]).status_code == 413


def test_a_bad_environment_is_a_start_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets the one line, nothing half-made."""
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SettingsError, match=r"^PORT='http': "):
        create_app()


def test_a_missing_model_is_a_start_error(tmp_path: Path) -> None:
    """An app that cannot predict is not made."""
    with pytest.raises(ArtifactError, match="there is no "):
        create_app(Settings(models_dir=tmp_path))


def test_two_apps_do_not_share_their_limits(app: App) -> None:
    """Nothing is kept in a module."""
    small = create_app(Settings(max_records=1), app.services.predictors).test_client()
    large = create_app(Settings(max_records=2), app.services.predictors).test_client()
    assert small.post("/predict", json=[1, 2]).status_code == 413
    assert large.post("/predict", json=[1, 2]).status_code == 422


def test_the_table_of_access_names_every_route(app: App) -> None:
    """No route is left out of it, and it names none that does not exist."""
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert rules == ROUTES.keys() - {
        "/hooks/mlflow",
        "/feedback/<name>",
    }  # where they are asked for


def test_there_is_no_debug_mode_and_no_static_folder(app: App) -> None:
    """Nothing is served but the routes; nothing runs code for whoever asks."""
    assert app.debug is False
    assert app.static_folder is None
    assert app.test_client().get("/static/app.py").status_code == 404
    assert app.test_client().get("/console").status_code == 404


def test_an_answer_lists_as_many_errors_as_the_setting_says(app: App) -> None:
    """MAX_ERRORS holds for every protocol; the answer says that there are more."""
    client = create_app(Settings(max_errors=2), app.services.predictors).test_client()
    for path, sent in (("/predict", [{}, {}]), ("/invocations", {"instances": [{}, {}]})):
        answer = client.post(path, json=sent)
        assert answer.status_code == 422
        assert len(answer.get_json()["errors"]) == 2
        assert "the first 2 errors" in answer.get_json()["detail"]
