"""A third model is one file: that of docs/models.md, in a copy of the project, is checked, trained,
served and built into an image without another line."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import requests

from scoring.models import discover
from tests.support import (
    ROOT,
    clone,
    environment,
    free_port,
    model_of_the_guide,
    post,
    wait_for,
    write_artifact,
)
from tests.support.containers import answering

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
RIDE_AND_CHURN = [model for model in discover().values() if model.name in ("ride", "churn")]
TIP = {"fare": 20.0, "passengers": 2}
SKIPPED = "tip: no bundled sample; train it with: python train.py tip --data FILE"


def with_a_third_model(folder: Path) -> Path:
    """Copy the project to `folder`, as a clone with this virtual environment, and add the guide's
    model file."""
    clone(folder)
    (folder / "web-service/scoring/models/tip.py").write_text(model_of_the_guide())
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A third model"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


def variables(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the copy's own code is imported, and nothing is left of the
    test run that we are in."""
    paths = os.pathsep.join([str(folder / "web-service"), str(folder)])
    ours = environment(PYTHONPATH=paths, **more)
    left = ("PYTEST_", "COV", "MAKE", "MFLAGS")
    return {name: value for name, value in ours.items() if not name.startswith(left)}


@contextlib.contextmanager
def make_run(folder: Path, log: Path) -> Iterator[str]:
    """Run `make run` in the copy and yield the service's address, once it answers."""
    port = str(free_port())
    given = variables(folder, PORT=port, HOST="127.0.0.1", GRACEFUL_TIMEOUT="2")
    with log.open("wb") as out:
        process = subprocess.Popen(["make", "run"], cwd=folder, env=given, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{url}/ping", timeout=5).ok
        return False

    try:
        wait_for(answers, "an answer", 120)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def served(url: str) -> list[str]:
    """Return the names of the models that a service has, in order."""
    models = requests.get(f"{url}/models", timeout=30).json()["models"]
    return [model["name"] for model in models]


def test_tests_of_every_model_pass_with_it(tmp_path: Path) -> None:
    """Lint, types and the quick tests of what has something to say of each model."""
    folder = with_a_third_model(tmp_path / "copy")
    tests = ["tests/test_layers.py", "tests/serving/pages", "tests/serving/metrics",
             "tests/scoring/observers", "tests/training/fit"]  # fmt: skip
    quick = [sys.executable, "-m", "pytest", "-q", "-m", "not slow and not long", *tests]
    for command in (["make", "lint"], quick):
        done = subprocess.run(
            command, cwd=folder, env=variables(folder), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.long
def test_every_check_passes_with_it(tmp_path: Path) -> None:
    """`make check` in the copy: lint, types and every quick test, many of which run over each model
    that is found."""
    folder = with_a_third_model(tmp_path / "copy")
    done = subprocess.run(
        ["make", "check"], cwd=folder, env=variables(folder), capture_output=True, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/serving"],
        cwd=folder, env=variables(folder), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "[tip]" in listed.stdout


def test_make_run_goes_on_without_it_and_serves_it_once_it_is_trained(tmp_path: Path) -> None:
    """Without data for the third, a sentence says how to train it and the others serve; after the
    guide's command all three do."""
    folder = with_a_third_model(tmp_path / "copy")
    with make_run(folder, tmp_path / "log") as url:
        assert served(url) == ["ride", "churn"]
    assert SKIPPED in (tmp_path / "log").read_text()
    fares = [3 + n % 40 for n in range(200)]
    table = {"fare": fares, "passengers": [1 + n % 4 for n in range(200)]}
    pd.DataFrame({**table, "tip": [0.2 * fare for fare in fares]}).to_csv(folder / "tips.csv")
    [command] = re.findall(r"^python (train\.py tip .*)$", GUIDE, flags=re.M)
    done = subprocess.run(
        [sys.executable, *shlex.split(command)], cwd=folder, env=variables(folder),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with make_run(folder, tmp_path / "log") as url:
        assert served(url) == ["ride", "churn", "tip"]
        assert post(f"{url}/predict/tip", TIP).json()["tip"] == pytest.approx(4, abs=0.1)
    assert SKIPPED not in (tmp_path / "log").read_text()


@pytest.mark.long
def test_make_trains_and_bundles_the_others(tmp_path: Path) -> None:
    """`make train` and `make eb-bundle` go on without data for the third, which is left out with a
    sentence, unless it is asked for by name."""
    folder = with_a_third_model(tmp_path / "copy")

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *words], cwd=folder, env=variables(folder), capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    trained = make("train")
    assert trained.returncode == 0, trained.stderr
    assert SKIPPED in trained.stdout
    bundled = make("eb-bundle")
    assert bundled.returncode == 0, bundled.stderr
    assert "there is no model 'tip', which is left out; `python train.py tip" in bundled.stdout
    with zipfile.ZipFile(folder / "dist" / "prediction-service-eb.zip") as bundle:
        names = bundle.namelist()
    assert "web-service/scoring/models/ride.py" in names
    assert "web-service/scoring/models/tip.py" not in names
    asked = make("eb-bundle", "MODELS=tip")
    assert asked.returncode != 0
    assert "there is no sample for 'tip'" in asked.stderr


@pytest.mark.long
@pytest.mark.container
def test_the_image_is_built_without_it_and_with_it(
    build: Callable[..., str], tmp_path: Path
) -> None:
    """A build that can train no third model leaves it out; its artifact beside the others is in."""
    folder = with_a_third_model(tmp_path / "copy")
    (folder / Path(sys.prefix).name).unlink()
    for model in RIDE_AND_CHURN:
        write_artifact(model, folder / "models")
    with answering(build(folder)) as container:
        assert served(container.url()) == ["ride", "churn"]
