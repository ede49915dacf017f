"""A container of SageMaker serves the models of its archive, or does not start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from scoring.errors import StartError
from scoring.models import discover
from serving.sagemaker import environment
from tests.support import ROOT, write_artifact
from tests.support.processes import wait_for
from tests.support.servers import environment as clean
from tests.support.servers import free_port

MODELS = discover()
NAMES = list(MODELS)
SERVE = ROOT / "web-service" / "bin" / "serve"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """What SageMaker calls its base, /opt/ml, with an archive that holds nothing."""
    (tmp_path / "model").mkdir()
    return tmp_path


def served(base: Path, **more: str) -> dict[str, str]:
    """Return what the archive and the environment make of the settings."""
    found = environment({"SAGEMAKER_BASE_DIR": str(base), **more})
    del found["SAGEMAKER_BASE_DIR"]
    return found


def versions(folder: Path) -> dict[str, str]:
    """Return the digests of the manifests below a folder of models."""
    return {path.parent.name: path.read_text() for path in folder.glob("*/manifest.json")}


def test_without_an_archive_the_images_models_serve(base: Path) -> None:
    """No folder, an empty one, or one with what macOS leaves."""
    assert served(base) == {"PORT": "8080"}
    (base / "model" / "._models").touch()
    assert served(base) == {"PORT": "8080"}
    shutil.rmtree(base / "model")
    assert served(base) == {"PORT": "8080"}


@pytest.mark.parametrize("within", ["", "models", "export/models"])
def test_the_folders_of_models_are_served(base: Path, models_dir: Path, within: str) -> None:
    """Of `tar -C models .`, of `tar models/`, and of a folder around it."""
    shutil.copytree(models_dir, base / "model" / within, dirs_exist_ok=True)
    found = served(base)
    assert Path(found["MODELS_DIR"]) == base / "model" / within
    assert found["MODELS"].split(",") == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("within", ["", "another_name", "models/NAME"])
def test_one_model_is_served_alone(base: Path, models_dir: Path, name: str, within: str) -> None:
    """Its bare files, whatever their folder is called: never beside a model of the image."""
    target = base / "model" / within.replace("NAME", name)
    shutil.copytree(models_dir / name, target, dirs_exist_ok=True)
    found = served(base)
    assert found["MODELS"] == name
    assert versions(Path(found["MODELS_DIR"])) == {name: (target / "manifest.json").read_text()}


def test_what_is_set_stays(base: Path, models_dir: Path) -> None:
    """MODELS_DIR, MODELS and the ports are the operator's to choose."""
    shutil.copytree(models_dir, base / "model", dirs_exist_ok=True)
    assert served(base, MODELS=NAMES[-1])["MODELS"] == NAMES[-1]
    assert served(base, MODELS_DIR="/srv") == {"PORT": "8080", "MODELS_DIR": "/srv"}
    assert served(base, SAGEMAKER_BIND_TO_PORT="8081")["PORT"] == "8081"
    assert served(base, SAGEMAKER_BIND_TO_PORT="8081", PORT="9000")["PORT"] == "9000"


def a_pickle(archive: Path, _models: Path) -> None:
    (archive / "model.pkl").touch()


def one_of_mlflow(archive: Path, _models: Path) -> None:
    (archive / "MLmodel").touch()
    (archive / "model.pkl").touch()


def a_folder_without_its_manifest(archive: Path, models: Path) -> None:
    shutil.copytree(models, archive, dirs_exist_ok=True)
    (archive / NAMES[0] / "manifest.json").unlink()


def a_pickle_beside_models(archive: Path, models: Path) -> None:
    shutil.copytree(models, archive, dirs_exist_ok=True)
    (archive / "model.pkl").touch()


def an_empty_folder(archive: Path, _models: Path) -> None:
    (archive / "models").mkdir()


def a_folder_within_a_model(archive: Path, models: Path) -> None:
    shutil.copytree(models / NAMES[0], archive, dirs_exist_ok=True)
    (archive / "more").mkdir()


def one_model_twice(archive: Path, models: Path) -> None:
    for folder in ("old", "new"):
        shutil.copytree(models / NAMES[0], archive / folder)


def a_broken_manifest(archive: Path, _models: Path) -> None:
    (archive / "manifest.json").write_text("{")


def a_manifest_of_something_else(archive: Path, _models: Path) -> None:
    (archive / "manifest.json").write_text('{"model": "../../etc"}')


def a_file(archive: Path, _models: Path) -> None:
    archive.rmdir()
    archive.touch()


@pytest.mark.parametrize(
    "put",
    [a_pickle, one_of_mlflow, a_folder_without_its_manifest, a_pickle_beside_models,
     an_empty_folder, a_folder_within_a_model, one_model_twice, a_broken_manifest,
     a_manifest_of_something_else, a_file],
)  # fmt: skip
def test_what_is_not_understood_is_refused(
    base: Path, models_dir: Path, put: Callable[[Path, Path], None]
) -> None:
    """The line names the place; the image's models do not answer instead."""
    put(base / "model", models_dir)
    with pytest.raises(StartError, match=str(base / "model")):
        served(base)


@pytest.mark.slow
def test_serve_starts_over_the_archive(base: Path) -> None:
    """The program listens on SageMaker's port and answers with the archive's one model."""
    name = NAMES[-1]
    manifest = write_artifact(MODELS[name], base / "model" / "models")
    port = free_port()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port)}
    process = subprocess.Popen([SERVE], env=clean(PATH=path, HOST="127.0.0.1", **given))
    try:
        url = f"http://127.0.0.1:{port}/models"
        wait_for(lambda: _answers(url) or process.poll() is not None, "the service to answer", 60)
        [model] = requests.get(url, timeout=30).json()["models"]
        assert (model["name"], model["version"]) == (name, manifest.version)
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.slow
def test_serve_says_why_it_does_not_start(base: Path) -> None:
    """One line on standard error, and status 1."""
    (base / "model" / "model.pkl").touch()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = clean(PATH=path, SAGEMAKER_BASE_DIR=str(base))
    done = subprocess.run([SERVE], env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("prediction-service cannot start: ")
    assert "model.pkl" in line
    assert "training.adopt" in line


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
