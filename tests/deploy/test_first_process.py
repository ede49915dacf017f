"""The service as a container's first process, which the kernel spares from unhandled signals."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.bundle.archive import instructions
from tests.support import ROOT, environment, free_port, installed, wait_for

pytestmark = pytest.mark.slow

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
MOMENTS = 50
WITHIN_S = 1.0


def image_command() -> list[str]:
    """Return the words with which the image starts the service, as they run in this tree."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    [words] = [argument for name, argument in instructions(text) if name == "CMD"]
    return [word.replace("/app/", f"{ROOT}/") for word in json.loads(words)]


SERVE = [str(ROOT / "web-service" / "bin" / "serve")]
PLAIN = ["gunicorn", "-c", str(ROOT / "web-service" / "gunicorn.conf.py")]


@contextlib.contextmanager
def first_process(
    command: list[str], log: Path, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run `command` as the first process of a PID namespace; yield what waits for it, and its pid
    here, as soon as it holds back or handles a SIGTERM."""
    words = [installed("unshare"), "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        words += ["--user", "--map-root-user"]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("this system does not let us make a PID namespace")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # the coverage of a test run has a handler of its own for SIGTERM in each process, which a
    # container has not
    variables = environment(PATH=path, **settings)
    variables = {k: v for k, v in variables.items() if not k.startswith("COVERAGE_")}
    with log.open("wb") as out:
        process = subprocess.Popen([*words, *command], env=variables, stdout=out, stderr=out)
    try:
        yield process, wait_for(lambda: _ready_for_signals(process.pid), "the first process")
    finally:
        process.kill()
        process.wait(10)


def _ready_for_signals(parent: int) -> int | None:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    status = Path(f"/proc/{children[0]}/status").read_text() if children else ""
    masks = re.findall(r"^Sig(?:Blk|Cgt):\s*(\w+)$", status, re.MULTILINE)
    bit = 1 << (signal.SIGTERM - 1)
    return int(children[0]) if any(int(mask, 16) & bit for mask in masks) else None


def seconds_to_end(process: subprocess.Popen[bytes], pid: int, number: signal.Signals) -> float:
    """Send the signal and return how long the process took to end well, in seconds."""
    began = time.monotonic()
    os.kill(pid, number)
    try:
        assert process.wait(10) == 0
    except subprocess.TimeoutExpired:
        pytest.fail(f"{number.name} was lost: the service goes on")
    return time.monotonic() - began


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.long
def test_a_stop_at_any_moment_of_the_start_ends_it(models_dir: Path, tmp_path: Path) -> None:
    """At fifty random moments from the first millisecond to a bit after the first answer, a
    SIGTERM ends the first process within a second, with status 0."""
    command = image_command()
    port = free_port()
    given = {"HOST": "127.0.0.1", "PORT": str(port), "MODELS_DIR": str(models_dir)}
    with first_process(command, tmp_path / "log", **given) as (process, pid):
        began = time.monotonic()
        wait_for(lambda: listens(port), "the service to listen", 60)
        start_s = time.monotonic() - began
        seconds_to_end(process, pid, signal.SIGTERM)
    late = {}
    for _ in range(MOMENTS):
        moment = random.uniform(0, 1.1 * start_s)
        with first_process(command, tmp_path / "log", **given) as (process, pid):
            time.sleep(moment)  # not a wait for something: the moment is what is tested
            took = seconds_to_end(process, pid, signal.SIGTERM)
        if took > WITHIN_S:
            late[moment] = took
    assert late == {}


@contextlib.contextmanager
def silent_registry() -> Iterator[tuple[str, threading.Event]]:
    """Yield the address of a registry that does not answer, and what is set once it is asked."""
    asked, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            over.wait(60)

        def log_request(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            over.set()
            server.shutdown()


@pytest.mark.parametrize("number", STOPS, ids=lambda number: number.name)
@pytest.mark.parametrize(
    "command", [image_command(), SERVE, PLAIN], ids=["image", "serve", "gunicorn"]
)
def test_a_start_that_waits_for_the_registry_can_be_stopped(
    command: list[str], number: signal.Signals, models_dir: Path, tmp_path: Path
) -> None:
    """Whichever command starts it, and whichever signal stops it."""
    with silent_registry() as (url, asked):
        given = {"HOST": "127.0.0.1", "PORT": str(free_port()), "MODELS_DIR": str(models_dir),
                 "MLFLOW_TRACKING_URI": url, "REGISTRY_CACHE": str(tmp_path / "cache")}  # fmt: skip
        with first_process(command, tmp_path / "log", **given) as (process, pid):
            wait_for(asked.is_set, "the registry to be asked", 60)
            assert seconds_to_end(process, pid, number) < WITHIN_S


def test_a_reload_keeps_the_graceful_stop(models_dir: Path, tmp_path: Path) -> None:
    """SIGHUP reads gunicorn.conf.py again, in a process that has handlers by then: its SIGTERM
    is still gunicorn's own, which logs the stop."""
    port = free_port()
    log = tmp_path / "log"
    given = {"HOST": "127.0.0.1", "PORT": str(port), "MODELS_DIR": str(models_dir), "WORKERS": "1"}
    with first_process(image_command(), log, **given) as (process, pid):
        wait_for(lambda: listens(port), "the service to listen", 60)
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: log.read_text().count("Booting worker") == 2, "the new worker", 60)
        seconds_to_end(process, pid, signal.SIGTERM)
    assert "Handling signal: term" in log.read_text()
