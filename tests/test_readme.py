"""The README and the pages it leads to first are true: each command and example in them is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from scoring import __version__
from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings
from tests.support import (
    DATA_DIR,
    ROOT,
    Server,
    clean_tree,
    clone,
    environment,
    free_port,
    installed,
    needs_real_data,
    post,
    serving,
    wait_for,
)

PAGES = ("README.md", "CONTRIBUTING.md", "docs/models.md", "docs/training.md")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", "\n".join(TEXTS.values()), flags=re.M | re.S)
COMMANDS = list(
    dict.fromkeys(
        re.sub(r"\s+#.*$", "", line).strip()
        for kind, text in BLOCKS
        if kind == "sh"
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip()
    )
)

PUBLISHED = needs_real_data(
    "green/green_tripdata_2021-01.parquet", "green/green_tripdata_2021-02.parquet"
)


def commands(start: str) -> list[str]:
    return [command for command in COMMANDS if command.startswith(start)]


def run(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a `python ...` command of the README in `folder`, whose own code it imports."""
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
    folder = clean_tree(tmp_path_factory.mktemp("trained"))
    for name in ("ride", "churn"):
        done = run(f"python train.py {name}", folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def running(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("readme") / "log"
    with serving(trained / "models", log, WORKERS="1") as server:
        yield server


# the first column of each row of the table of what it does, and the command that stands in it
TABLE = dict(re.findall(r"^\| ([a-z]+).*? \| `(.+?)` \| \[", TEXTS["README.md"], flags=re.M))


# What a contributor types: the targets of the Makefile exist, the test files named exist.
CHECKS = ("make check", "make format", "make help", ".venv/bin/python -m pytest ",
          ".venv/pipenv/bin/pipenv upgrade ")  # fmt: skip


def test_the_commands_of_a_contributor_exist() -> None:
    """Each make target named in a page is in `make help`, and each test named is there."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = set(re.findall(r"^  make (\S+)", listed.stdout, flags=re.M))
    for text in TEXTS.values():
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.M)) <= targets
    for command in commands(".venv/bin/python -m pytest"):
        for path in re.findall(r"tests/[\w/.]+", command):
            assert (ROOT / path).exists(), command


def test_each_link_of_a_page_leads_somewhere() -> None:
    """Relative links name files, and their fragments name headings."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        for link in re.findall(r"\]\((?!https?:|mailto:)([^)]+)\)", page.read_text("utf-8")):
            name, _, fragment = link.partition("#")
            target = (page.parent / name) if name else page
            assert target.exists(), f"{page.name}: {link}"
            if fragment:
                headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), flags=re.M)
                slugs = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
                assert fragment in slugs, f"{page.name}: {link}"


def test_the_manifests_name_the_version() -> None:
    """Kubernetes' tags, those of the guide, the image's label and the changelog's first heading are
    the version of the code."""
    for name in ("base", "batch"):
        text = (ROOT / f"deploy/kubernetes/{name}/kustomization.yaml").read_text(encoding="utf-8")
        assert re.findall(r"newTag: (\S+)", text) == [__version__]
    text = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"newTag: (\S+)|prediction-service:([0-9.]+)", text)) == {
        (__version__, ""), ("", __version__)
    }  # fmt: skip
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([0-9.]+)", text, flags=re.M)[0] == __version__
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^ARG VERSION=(\S+)", text, flags=re.M) == [__version__]


def test_the_readme_is_short() -> None:
    """Under 200 lines: the rest is in docs/."""
    assert len(TEXTS["README.md"].splitlines()) < 200


def test_every_command_belongs_to_a_test() -> None:
    """No page has a command that no test of this file, the container's or the bundle's runs."""
    tested = ("make run", "make test", "make setup", "curl ", "python ", "docker build ",
              "docker run ", "make eb-", *CHECKS)  # fmt: skip
    assert [command for command in COMMANDS if not command.startswith(tested)] == []
    assert len(COMMANDS) >= 15


def test_the_configuration_table_is_that_of_the_settings() -> None:
    """Each variable, its default and its meaning are those of `Settings`, in order."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| (.+?) \|$", page, flags=re.M)
    fields = Settings.model_fields
    assert [name for name, _, _ in rows] == [name.upper() for name in fields]
    for name, default, meaning in rows:
        field = fields[name.lower()]
        assert meaning == field.description, name
        assert re.fullmatch(r"[A-Z`].*\.", meaning), name
        if name not in ("MODELS", "MODELS_DIR", "WORKERS"):
            value = field.default
            value = str(value).lower() if isinstance(value, bool) else value
            words = {"None": "unset", "{}": "unset", "()": "none"}
            assert default == words.get(str(value), f"`{value}`")


def test_the_table_of_the_api_names_every_route(models_dir: Path) -> None:
    """The API's table has the routes that the app has, and no other."""
    table = (ROOT / "docs/api.md").read_text(encoding="utf-8").partition("\n- ")[0]
    rows = "\n".join(line for line in table.splitlines() if line.startswith("|"))
    named = set(re.findall(r"`(?:GET|POST) (/[^`]*)`", rows))
    app = create_app(Settings(models_dir=models_dir))
    served = {rule.rule.replace("<name>", "<model>") for rule in app.url_map.iter_rules()}
    assert named == served


@pytest.mark.slow
def test_the_requests_to_copy_are_answered_as_shown(running: Server) -> None:
    """Each curl command gives the answer that stands below it."""
    installed("curl")
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
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            command,
            marks=[
                *([PUBLISHED] if "--months" in command else []),
                *([pytest.mark.long] if "--" in command else []),
            ],
        )
        for command in commands("python train.py")
        if " tip " not in command and "--all" not in command
    ],
)
def test_a_training_command_writes_a_model(command: str, trained: Path, tmp_path: Path) -> None:
    """Each training of the README runs; the TLC's months are those of DATA_DIR."""
    folder = shutil.copytree(trained, tmp_path / "copy")
    shutil.copy(folder / "training/sample/telco_customers_sample.csv", folder / "customers.csv")
    name = command.split()[2]
    before = (folder / "models" / name / "manifest.json").stat().st_ino
    done = run(command, folder, DATA_DIR=str(DATA_DIR))
    assert done.returncode == 0, done.stderr
    assert (folder / "models" / name / "manifest.json").stat().st_ino != before


@pytest.mark.slow
def test_each_capability_has_a_command_that_runs(trained: Path, tmp_path: Path) -> None:
    """In the order of the table, with the files that it names; brokers and images have tests of
    their own (tests/streaming, tests/container), and `make run` is the last of this file."""
    folder = shutil.copytree(trained, tmp_path / "copy")
    done = {}
    for what, command in TABLE.items():
        if command.startswith("python") and what != "stream":
            for one in command.split(" && "):
                done[what] = run(one, folder, MODELS_DIR=str(folder / "models"))
                assert done[what].returncode == 0, (one, done[what].stdout, done[what].stderr)
    assert list(TABLE) == ["serve", "batch", "stream", "watch", "loop", "adopt", "export", "deploy"]


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
    folder = clone(tmp_path / "copy")
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
                answered = wait_for(partial(_asked, url, model.example), "an answer", 300)
                assert answered.status_code == 200
        finally:
            process.terminate()
            process.wait(20)


def _asked(url: str, value: Any) -> requests.Response | None:
    try:
        return post(url, dict(value))
    except requests.RequestException:
        return None
