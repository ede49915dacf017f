"""predict.py: gunicorn's target, and a development server without a debugger."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from scoring.artifact.manifest import MANIFEST
from scoring.models import discover
from tests.support import (
    GUNICORN,
    ROOT,
    Launch,
    environment,
    free_port,
    post,
    run_to_end,
    serving,
    wait_for,
)

DEVELOPMENT = (sys.executable, "web-service/predict.py")


def listening(port: int) -> set[str]:
    """Return the addresses of IPv4 at which somebody listens on `port`."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {
        socket.inet_ntoa(int(host, 16).to_bytes(4, sys.byteorder))
        for host, found in ends
        if int(found, 16) == port
    }


def no_models(folder: Path) -> None:
    shutil.rmtree(folder)


def no_churn(folder: Path) -> None:
    shutil.rmtree(folder / "churn")


def exchanged(folder: Path) -> None:
    file = folder / "churn" / discover()["churn"].artifact_file
    file.write_bytes(file.read_bytes() + b"\n")


def truncated(folder: Path) -> None:
    (folder / "ride" / MANIFEST).write_text('{"format": 1,')


def untouched(_folder: Path) -> None:
    pass


CASES: dict[str, tuple[Callable[[Path], None], dict[str, str], str]] = {
    "a bad port": (untouched, {"PORT": "http"}, "PORT='http': "),
    "two bad settings": (untouched, {"THREADS": "0", "ACCESS_LOG": "no"}, "THREADS='0': "),
    "an unknown model": (
        untouched,
        {"MODELS": "ride,tips"},
        "MODELS names 'tips', which is not a model",
    ),
    "no models": (no_models, {}, "model 'ride': there is no "),
    "one model of two": (no_churn, {}, "model 'churn': there is no "),
    "a file exchanged": (exchanged, {}, "model 'churn': model_C=1.0.bin has the sha256 "),
    "a manifest broken off": (truncated, {}, "model 'ride': manifest.json cannot be used: "),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", [GUNICORN, DEVELOPMENT], ids=["gunicorn", "development"])
def test_what_cannot_serve_does_not_start(
    models_dir: Path, tmp_path: Path, command: tuple[str, ...], case: str
) -> None:
    """One clear line on the standard error, a status that is not 0, and no traceback."""
    spoil, settings, words = CASES[case]
    folder = shutil.copytree(models_dir, tmp_path / "models")
    spoil(folder)
    found = run_to_end(command, MODELS_DIR=str(folder), **settings)
    assert found.returncode == 1
    assert found.stdout == ""
    [line] = found.stderr.splitlines()
    assert line.startswith("prediction-service cannot start: ")
    assert words in line
    assert "Traceback" not in line


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"PORT": "none"}], ids=["models", "settings"])
def test_why_it_does_not_start_is_a_line_of_the_log(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    """With LOG_FORMAT=json: one object on the standard output, and nothing beside it."""
    words = {"MODELS_DIR": str(tmp_path / "away"), "LOG_FORMAT": "json", **settings}
    found = run_to_end(GUNICORN, **words)
    assert (found.returncode, found.stderr) == (1, "")
    line = json.loads(found.stdout)
    assert line["level"] == "critical"
    assert line["message"].startswith("prediction-service cannot start: ")


@pytest.mark.slow
def test_gunicorn_finds_the_app_from_another_folder(models_dir: Path, tmp_path: Path) -> None:
    """`gunicorn -c web-service/gunicorn.conf.py` works wherever it is called."""
    (tmp_path / "web-service").symlink_to(ROOT / "web-service")
    with serving(models_dir, tmp_path / "log", Launch(tmp_path), WORKERS="1") as server:
        assert requests.get(f"{server.url}/ping", timeout=5).text == "PONG"


@pytest.mark.slow
@pytest.mark.parametrize("folder", [ROOT, ROOT / "web-service"], ids=["project", "web-service"])
def test_the_development_server_answers_and_has_no_debugger(
    models_dir: Path, tmp_path: Path, folder: Path
) -> None:
    """`python web-service/predict.py` serves this machine alone, whatever HOST says;
    FLASK_DEBUG=1 gives nobody a console."""
    port = free_port()
    given = environment(
        PORT=str(port),
        MODELS_DIR=str(models_dir),
        HOST="0.0.0.0",
        FLASK_DEBUG="1",
        PYTHONUNBUFFERED="1",
    )
    script = os.path.relpath(ROOT / "web-service" / "predict.py", folder)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/ping", timeout=5).text == "PONG"
        except requests.ConnectionError:
            assert process.poll() is None, log.read_text()
            return False

    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, script], cwd=folder, env=given, stdout=out, stderr=out
        )
    try:
        wait_for(answers, "the development server to answer")
        assert listening(port) == {"127.0.0.1"}, "others can reach the development server"
        for model in discover().values():
            response = post(f"{url}/predict/{model.name}", dict(model.example))
            assert response.status_code == 200
            assert set(response.json()) >= {"model_version"}
        for path in ("/console", "/nowhere?__debugger__=yes&cmd=resource&f=debugger.js"):
            response = requests.get(url + path, timeout=5)
            assert response.status_code == 404
            assert response.headers["Content-Type"] == "application/problem+json"
        debugger = requests.get(f"{url}/?__debugger__=yes&cmd=resource&f=debugger.js", timeout=5)
        assert debugger.content == requests.get(url, timeout=5).content, "no debugger's script"
        assert "Debug mode: off" in log.read_text()
        assert "Debugger PIN" not in log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    children = [line for line in log.read_text().splitlines() if "Restarting" in line]
    assert children == [], "a reloader runs a second process"


@pytest.mark.slow
def test_a_port_in_use_is_told_by_the_development_server(models_dir: Path) -> None:
    """In plain words, with a status that is not 0 and without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = run_to_end(DEVELOPMENT, MODELS_DIR=str(models_dir), PORT=port)
    assert found.returncode != 0
    assert f"Port {port} is in use" in found.stderr
    assert "Traceback" not in found.stderr
