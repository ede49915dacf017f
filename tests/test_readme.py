"""What the README says is true: each command and each example in it is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from scoring.app import create_app
from scoring.models import discover
from scoring.settings import Settings
from tests.support import (
    ROOT,
    Server,
    environment,
    free_port,
    post,
    serving,
    tiny_pair,
    wait_for,
    write_artifact,
)

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.M | re.S)
COMMANDS = [
    re.sub(r"\s+#.*$", "", line).strip()
    for kind, text in BLOCKS
    if kind == "sh"
    for line in text.replace("\\\n", " ").splitlines()
    if line.strip()
]


def commands(start: str) -> list[str]:
    return [command for command in COMMANDS if command.startswith(start)]


def checkout(target: Path) -> Path:
    """Gives a copy of the project as a fresh clone has it, with this virtual environment."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in names.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)  # with its time, which make looks at
    return target


def run(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a `python ...` command of the README in `folder`, whose own code it imports."""
    words = shlex.split(command)
    assert words[0] == "python"
    paths = os.pathsep.join([str(folder / "web-service"), str(folder)])
    return subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env=environment(PYTHONPATH=paths, **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which both models were trained on the sample."""
    folder = checkout(tmp_path_factory.mktemp("trained"))
    for name in ("ride", "churn"):
        done = run(f"python train.py {name}", folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def running(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("readme") / "log"
    with serving(trained / "models", log, WORKERS="1") as server:
        yield server


def test_every_command_belongs_to_a_test() -> None:
    """No command stands in the README that no test of this file or the container's runs."""
    tested = ("make run", "make test", "curl ", "python ", "docker build ", "docker run ",
              "make eb-")  # fmt: skip
    assert [command for command in COMMANDS if not command.startswith(tested)] == []
    assert len(COMMANDS) >= 15


def test_the_configuration_table_is_that_of_the_settings() -> None:
    """Each variable, its default and its meaning are those of `Settings`, in order."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| (.+?) \|$", README, flags=re.M)
    fields = Settings.model_fields
    assert [name for name, _, _ in rows] == [name.upper() for name in fields]
    for name, default, meaning in rows:
        field = fields[name.lower()]
        assert meaning == field.description, name
        if name not in ("MODELS", "MODELS_DIR", "WORKERS"):
            value = field.default
            value = str(value).lower() if isinstance(value, bool) else value
            words = {"None": "unset", "{}": "unset", "()": "none"}
            assert default == words.get(str(value), f"`{value}`")


def test_the_table_of_the_api_names_every_route(models_dir: Path) -> None:
    """The API's table has the routes that the app has, and no other."""
    table = README.partition("## API")[2].partition("\n- ")[0]
    named = set(re.findall(r"`(?:GET|POST) (/[^`]*)`", table))
    app = create_app(Settings(models_dir=models_dir))
    served = {rule.rule.replace("<name>", "<model>") for rule in app.url_map.iter_rules()}
    assert named == served


@pytest.mark.slow
def test_the_requests_to_copy_are_answered_as_shown(running: Server) -> None:
    """Each curl command gives the answer that stands below it."""
    shown = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    asked = commands("curl ")
    assert len(asked) == len(shown) == 2
    for command, expected in zip(asked, shown, strict=True):
        there = command.replace("localhost:9696", f"127.0.0.1:{running.port}")
        done = subprocess.run(there, shell=True, capture_output=True, check=True)
        got: dict[str, Any] = json.loads(done.stdout)
        if "model_version" in expected:
            # the version is the digest of a file that other library versions write otherwise
            assert re.fullmatch(r"[0-9a-f]{12}", got.pop("model_version"))
            expected.pop("model_version")
        assert got == {
            k: pytest.approx(v, abs=0.01) if isinstance(v, float) else v
            for k, v in expected.items()
        }


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in commands("python train.py") if " tip " not in c])
def test_a_training_command_writes_a_model(command: str, trained: Path, tmp_path: Path) -> None:
    """Each training of the README runs; the TLC's months come from the cache, as a second time."""
    folder = shutil.copytree(trained, tmp_path / "copy")
    (folder / "data").mkdir()
    for month in ("2021-01", "2021-02"):
        sample = folder / "training/sample/green_tripdata_sample.parquet"
        shutil.copy(sample, folder / f"data/green_tripdata_{month}.parquet")
    shutil.copy(folder / "training/sample/telco_customers_sample.csv", folder / "customers.csv")
    name = command.split()[2]
    before = (folder / "models" / name / "manifest.json").stat().st_ino
    done = run(command, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "models" / name / "manifest.json").stat().st_ino != before


@pytest.mark.slow
def test_a_tutorials_pickle_is_taken_in(tmp_path: Path) -> None:
    """The command for a pair that was pickled elsewhere writes an artifact that serves."""
    import pickle

    folder = checkout(tmp_path)
    ride = discover()["ride"]
    (folder / "lin_reg.bin").write_bytes(pickle.dumps(tiny_pair(ride)))
    [command] = commands("python -m training.adopt")
    done = run(command, folder)
    assert done.returncode == 0, done.stderr
    app = create_app(Settings(models=("ride",), models_dir=folder / "models"))
    assert app.test_client().post("/predict", json=dict(ride.example)).status_code == 200


@pytest.mark.slow
def test_a_third_model_is_a_third_file(tmp_path: Path) -> None:
    """The model file of the README is trained by the README's command, passes the contract tests by
    existing, and is served next to the others."""
    folder = checkout(tmp_path / "copy")
    [code] = [text for kind, text in BLOCKS if kind == "python"]
    (folder / "web-service/scoring/models/tip.py").write_text(code)
    fares = [3 + n % 40 for n in range(200)]
    table = {"fare": fares, "passengers": [1 + n % 4 for n in range(200)]}
    pd.DataFrame({**table, "tip": [0.2 * fare for fare in fares]}).to_csv(folder / "tips.csv")
    [command] = [c for c in commands("python train.py") if " tip " in c]
    done = run(command, folder)
    assert done.returncode == 0, done.stderr
    tested = run("python -m pytest -q -p no:cacheprovider tests/scoring/test_contract.py", folder)
    assert tested.returncode == 0, tested.stdout
    assert "[tip]" in run("python -m pytest --collect-only -q tests/scoring", folder).stdout
    for model in discover().values():
        write_artifact(model, folder / "models")
    with serving(folder / "models", tmp_path / "log", folder=folder) as server:
        answer = post(f"{server.url}/predict/tip", {"fare": 20.0, "passengers": 2}).json()
        assert answer["tip"] == pytest.approx(4, abs=0.1)
        served = requests.get(f"{server.url}/models", timeout=10).json()
        assert [model["name"] for model in served["models"]] == ["ride", "churn", "tip"]


@pytest.mark.slow
def test_the_clients_run_as_shown(running: Server, trained: Path) -> None:
    """Both example clients speak to the service by the README's commands."""
    for command in commands("python examples/"):
        name = command.split()[1]
        route = "ride" if name.endswith("ride.py") else "churn"
        done = run(f"{command} --url {running.url}/predict/{route}", trained)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip()


@pytest.mark.slow
def test_make_run_serves_both_models_on_a_fresh_clone(tmp_path: Path) -> None:
    """`make run` trains what is missing, serves on PORT, and a second one is up at once."""
    folder = checkout(tmp_path / "copy")
    (folder / Path(sys.prefix).name).symlink_to(Path(sys.prefix))
    port = str(free_port())
    paths = str(folder / "web-service")
    variables = environment(PORT=port, PYTHONPATH=paths, GRACEFUL_TIMEOUT="2")
    variables.pop("MAKEFLAGS", None)
    for _ in range(2):
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                ["make", "run"], cwd=folder, env=variables, stdout=log, stderr=log
            )
        try:
            for model in discover().values():
                url = f"http://127.0.0.1:{port}/predict/{model.name}"
                answered = wait_for(lambda url=url, m=model: _asked(url, m.example), "an answer")
                assert answered.status_code == 200
        finally:
            process.terminate()
            process.wait(20)


def _asked(url: str, value: Any) -> requests.Response | None:
    try:
        return post(url, dict(value))
    except requests.RequestException:
        return None
