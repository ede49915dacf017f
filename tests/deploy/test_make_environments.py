"""Which packages make installs for what, and that it says so before it begins."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT, clean_tree
from tests.support.groups import OF_RUN, packages_of


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone without an environment."""
    return clean_tree(tmp_path_factory.mktemp("fresh"))


def would(folder: Path, target: str) -> str:
    """Return what make would run for a target."""
    words = ["make", "--no-print-directory", "-n", target]
    # nothing of a make that runs these tests: it hands on its flags, and PYTHON=python3.12 as well
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout


def groups(said: str) -> set[str]:
    """Return the groups of the Pipfile that these commands install, but for the parser in C."""
    found = re.findall(r"for group in ([\w -]+);|sync --categories \"([\w -]+)\"", said)
    return {name for words in found for one in words for name in one.split()}


@pytest.mark.slow
def test_run_installs_what_training_and_serving_need(fresh: Path) -> None:
    """And says what before it begins; the larger environments hold all of it."""
    said = would(fresh, "run")
    needed = {"packages" if name == "default" else name for name in OF_RUN}
    assert groups(said) == needed
    assert said.index("MB of packages") < said.index("-m venv") < said.index("--require-hashes")
    more = groups(would(fresh, "setup"))
    assert needed | {"training", "kafka", "redis", "s3"} <= more
    assert more | {"benchmarks", "dev-packages"} == groups(would(fresh, "check"))


@pytest.mark.slow
@pytest.mark.parametrize("stamp", [".run", ".setup", ".ready"])
def test_an_environment_that_is_there_serves(fresh: Path, stamp: str) -> None:
    """`make run` installs nothing where any of the three is there, `make mlflow` asks for more."""
    (fresh / ".venv").mkdir(exist_ok=True)
    (fresh / ".venv" / stamp).touch()
    try:
        assert "pip" not in would(fresh, "run")
        assert ("pip" in would(fresh, "mlflow")) is (stamp == ".run")
        assert ("pip" in would(fresh, "format")) is (stamp != ".ready")
    finally:
        (fresh / ".venv" / stamp).unlink()


@pytest.mark.slow
def test_the_size_that_is_said_is_that_of_the_packages(fresh: Path) -> None:
    """Of those of `make run`, as they are installed here, and pip's and pipenv's own."""
    [told] = re.findall(r"(\d+) MB on the disk", would(fresh, "run"))
    size = 0
    for name in packages_of(*OF_RUN):
        files = importlib.metadata.distribution(name).files or []
        size += sum(file.size or 0 for file in files if file.suffix != ".pyc")
    assert 0.85 < (size / 1e6 + 40) / int(told) < 1.15


def test_one_environment_has_one_version_of_a_package() -> None:
    """What `make run` installs, `make setup` keeps."""
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
    for name, entry in lock["fit"].items():
        others = [lock[group].get(name, entry) for group in ("default", "sklearn", "training")]
        assert {other["version"] for other in others} == {entry["version"]}, name
