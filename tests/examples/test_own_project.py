"""examples/own-project: a model that lives in a folder of its own is trained, served and built into
an image, by the commands of its README."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support import ROOT, clean_tree, environment, serving
from tests.support.containers import answering

pytestmark = pytest.mark.slow

PROJECT = ROOT / "examples" / "own-project"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, flags=re.M | re.S)
RIDE = {"fare": 20.0, "payment": "Card", "passengers": 2}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project somewhere else, trained by its README's command."""
    folder = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("models", "__pycache__"))
    [command] = [line for line in BLOCKS[0].splitlines() if line.startswith("python ")]
    words = shlex.split(command)
    words[1] = str((PROJECT / words[1]).resolve())
    paths = f"{ROOT / 'web-service'}:{ROOT}"
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=120,
        env=environment(MODEL_CODE="my_models", PYTHONPATH=paths), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_it_is_served_without_an_image(project: Path, tmp_path: Path) -> None:
    """By gunicorn, with the code and the artifact where they are; nothing else is served."""
    given = {"MODEL_CODE": str(project / "my_models"), "MODELS": "tip", "WORKERS": "1"}
    with serving(project / "models", tmp_path / "log", **given) as server:
        answer = requests.post(f"{server.url}/predict", json=RIDE, timeout=30).json()
        names = requests.get(f"{server.url}/models", timeout=30).json()["models"]
    assert answer["tip"] == pytest.approx(4.2, abs=0.5)
    assert [model["name"] for model in names] == ["tip"]


def test_the_bundle_holds_what_the_dockerfile_copies(project: Path) -> None:
    """At the top of the zip, with one port exposed, as Elastic Beanstalk wants it."""
    _, *words = shlex.split(BLOCKS[-1])
    subprocess.run([sys.executable, *words], cwd=project, check=True, capture_output=True)
    with zipfile.ZipFile(project / "tip-eb.zip") as bundle:
        names = bundle.namelist()
    assert {"Dockerfile", "my_models/tip.py", "models/tip/manifest.json"} <= {*names}
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^EXPOSE (.+)$", text, flags=re.M) == ["9696"]
    for folder in re.findall(r"^COPY (\S+)", text, flags=re.M):
        assert any(name.startswith(f"{folder}/") for name in names)


@pytest.mark.container
def test_its_image_serves_it(project: Path, build: Callable[..., str], tmp_path: Path) -> None:
    """Built from the service's image by its Dockerfile, beside the image's own models or alone."""
    base = build(clean_tree(tmp_path / "service"))
    context = tmp_path / "project"
    shutil.copytree(project, context)
    text = (context / "Dockerfile").read_text(encoding="utf-8")
    assert text.startswith("FROM prediction-service\n")
    (context / "Dockerfile").write_text(text.replace("prediction-service", base, 1))
    image = build(context)
    with answering(image, "-e", "MODELS=tip") as container:
        answer = requests.post(f"{container.url()}/predict", json=RIDE, timeout=30).json()
        assert answer["tip"] == pytest.approx(4.2, abs=0.5)
    with answering(image) as container:
        assert {"ride", "churn", "tip"} <= container.served().keys()
