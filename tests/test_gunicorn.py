"""A real gunicorn over our configuration: it starts, answers, and replaces a lost worker."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import requests

from scoring.models import discover
from tests.load import Fate, Load, Request
from tests.support import (
    GUNICORN,
    ROOT,
    Launch,
    Server,
    children,
    environment,
    is_running,
    post,
    records,
    run_to_end,
    serving,
    wait_for,
)

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)
BODY = json.dumps(EXAMPLE).encode()
HEADERS = {"Content-Type": "application/json"}


def test_a_worker_that_is_killed_is_replaced(models_dir: Path, tmp_path: Path) -> None:
    """The other worker goes on answering, and a new one takes the place."""
    with serving(models_dir, tmp_path / "log", WORKERS="2") as server:
        before = wait_for(
            lambda: len(found := children(server.process.pid)) == 2 and found, "two workers"
        )
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: not is_running(victim), "the worker to die")
        for _ in range(20):
            assert post(f"{server.url}/predict", EXAMPLE).status_code == 200
        wait_for(
            lambda: len(now := children(server.process.pid)) == 2 and victim not in now,
            "a new worker",
        )
        answering: set[int] = set()

        def both_answer() -> bool:
            post(f"{server.url}/predict", EXAMPLE)
            answering.update(found["pid"] for found in server.accesses())
            return answering >= children(server.process.pid)

        wait_for(both_answer, "the new worker to answer")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_there_are_as_many_workers_as_set(models_dir: Path, tmp_path: Path, workers: str) -> None:
    """WORKERS is their number; PORT is where they listen."""
    with serving(models_dir, tmp_path / "log", WORKERS=workers) as server:
        wait_for(lambda: len(children(server.process.pid)) >= int(workers), "the workers")
        assert len(children(server.process.pid)) == int(workers)
        assert f"Listening at: http://127.0.0.1:{server.port} " in server.log.read_text()


def test_workers_are_also_counted_by_gunicorns_own_variable(
    models_dir: Path, tmp_path: Path
) -> None:
    """WEB_CONCURRENCY, which platforms set; where WORKERS says otherwise, the log says so."""
    more = {"WORKERS": "1", "WEB_CONCURRENCY": "2"}
    with serving(models_dir, tmp_path / "log", **more) as server:
        assert "WORKERS=1 counts, not WEB_CONCURRENCY=2" in server.log.read_text()
        assert len(children(server.process.pid)) == 1
    with serving(models_dir, tmp_path / "log", WEB_CONCURRENCY="2") as server:
        wait_for(lambda: len(children(server.process.pid)) == 2, "the workers")


@pytest.mark.parametrize("path", ["/predict", "/models"], ids=["fast path", "delegated"])
def test_a_worker_is_replaced_after_its_requests(
    models_dir: Path, tmp_path: Path, path: str
) -> None:
    """--max-requests counts whatever is answered, and no request is lost over it."""
    more = {"WORKERS": "1", "GUNICORN_CMD_ARGS": "--max-requests 50"}
    asked = Request.of(path, EXAMPLE, 200 if path == "/predict" else 405)
    with serving(models_dir, tmp_path / "log", **more) as server:
        first = children(server.process.pid)
        with Load(("127.0.0.1", server.port), [asked], clients=4) as load:
            wait_for(lambda: load.everybody_has(60), "every client to be answered")
        assert load.statuses() == {asked.expected}
        assert load.failed(*Fate) == []
        assert first.isdisjoint(children(server.process.pid))
        assert "Restarting after 50 requests" in server.log.read_text()


def test_an_option_that_cannot_be_honoured_stops_the_start(models_dir: Path) -> None:
    """One line, before the port is open."""
    found = run_to_end(GUNICORN_CMD_ARGS="--threads 8", MODELS_DIR=str(models_dir))
    assert found.returncode == 1
    assert found.stderr == (
        "prediction-service cannot start: gunicorn's option --threads is not honoured: "
        "set THREADS in the environment\n"
    )
    assert "Listening" not in found.stdout


@pytest.mark.long
def test_libraries_have_one_thread_in_a_worker(models_dir: Path, tmp_path: Path) -> None:
    """The server's threads are the parallelism: BLAS and OpenMP get one each, unless set."""
    page = """
@app.get("/threads")
def threads():
    import os, sklearn.linear_model, threadpoolctl
    libraries = threadpoolctl.threadpool_info()
    variables = {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")}
    return {"libraries": [found["num_threads"] for found in libraries], "variables": variables}
"""
    shutil.copytree(ROOT / "web-service", tmp_path / "web-service")
    file = tmp_path / "web-service" / "predict.py"
    file.write_text(file.read_text().partition("if __name__")[0] + page)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    given = {"PYTHONPATH": str(tmp_path / "web-service"), "WORKERS": "1", "MKL_NUM_THREADS": "2"}
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.delenv(name, raising=False)
        with serving(models_dir, tmp_path / "log", Launch(tmp_path), **given) as server:
            found = requests.get(f"{server.url}/threads", timeout=30).json()
    assert found["variables"] == dict(zip(names, "112", strict=True))
    assert found["libraries"]
    assert set(found["libraries"]) == {1}


def test_a_port_in_use_is_told(models_dir: Path) -> None:
    """The address that is taken is named, the status is not 0, and there is no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run_to_end(PORT=str(port), MODELS_DIR=str(models_dir))
    assert found.returncode == 1
    assert f"Connection in use: ('127.0.0.1', {port})" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A file in place of the models' folder stops the start with the system's own words."""
    (tmp_path / "models").write_text("a file")
    found = run_to_end(MODELS_DIR=str(tmp_path / "models"))
    assert found.returncode == 1
    [line] = found.stderr.splitlines()
    assert line.startswith("prediction-service cannot start: model 'ride': ")
    assert "cannot be read: Not a directory" in line


def test_a_host_of_ipv6_is_listened_on(models_dir: Path, tmp_path: Path) -> None:
    """HOST=::1 is an address like another."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    given = {"HOST": "::1", "PORT": str(port), "WORKERS": "1", "MODELS_DIR": str(models_dir)}
    log = tmp_path / "log"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://[::1]:{port}/ping", timeout=5).text == "PONG"
        return False

    with log.open("wb") as out:
        process = subprocess.Popen(
            GUNICORN, cwd=ROOT, env=environment(**given), stdout=out, stderr=out
        )
    try:
        wait_for(answers, "the server to answer")
    finally:
        process.terminate()
        process.wait(20)


def test_what_is_no_http_is_answered_with_a_problem(server: Server) -> None:
    """Errors of the parser carry our type, an id and the version."""
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        found = json.loads(response.read())
    assert response.status == found["status"] == 400
    assert response.getheader("Content-Type") == "application/problem+json"
    version = requests.get(f"{server.url}/ping", timeout=30).headers["Model-Version"]
    assert response.getheader("Model-Version") == version
    assert response.getheader("X-Request-ID")


def test_a_chunked_body_is_measured_too(models_dir: Path, tmp_path: Path) -> None:
    """A body in chunks is taken up to the limit, to the byte, and never cut off in silence."""
    with serving(models_dir, tmp_path / "log", WORKERS="1", MAX_BODY_BYTES="4096") as server:
        for size, status in [(4096, 200), (4097, 413), (9999, 413)]:
            pieces = iter([BODY.ljust(100), b" " * (size - 100)])
            response = requests.post(
                f"{server.url}/predict", data=pieces, headers=HEADERS, timeout=30
            )
            assert response.status_code == status


def test_each_body_is_its_own_requests(server: Server) -> None:
    """On one connection, whichever way a request goes: nothing of the one before is left in it."""
    asked = [("/predict", EXAMPLE, 200), ("/predict/ride?explain=true", EXAMPLE, 200),
             ("/predict", [1, 2], 422), ("/invocations", {"instances": [EXAMPLE]}, 200),
             ("/predict", {}, 422), ("/predict/ride", [EXAMPLE] * 400, 200)]  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        for path, value, status in asked * 2:
            connection.request("POST", path, json.dumps(value), HEADERS)
            response = connection.getresponse()
            assert (response.read(), response.status)[1] == status, path


def test_many_at_once_get_their_own_answers(server: Server) -> None:
    """Threads and workers do not mix answers up: each record gets what it gets alone."""
    model = discover()["ride"]
    rows = records(model, 40)
    expected = [post(f"{server.url}/predict/ride", row).json() for row in rows]
    found: dict[int, list[object]] = {}

    def ask(start_at: int) -> None:
        with requests.Session() as session:
            found[start_at] = [
                session.post(f"{server.url}/predict/ride", json=row, timeout=30).json()
                for row in rows[start_at:] + rows[:start_at]
            ]

    threads = [threading.Thread(target=ask, args=(start_at,)) for start_at in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({str(answer) for answer in expected}) > 20
    for start_at, answers in found.items():
        assert answers == expected[start_at:] + expected[:start_at]
    assert len(found) == 4


def test_relative_paths_are_meant_from_where_the_service_starts(
    models_dir: Path, tmp_path: Path
) -> None:
    """gunicorn works in web-service; whoever wrote MODELS_DIR=models did not think of that."""
    (tmp_path / "models").symlink_to(models_dir)
    (tmp_path / "mine").mkdir()
    given = {"MODELS_DIR": "models", "MODEL_CODE": "mine", "PREDICTION_LOG": "log.jsonl"}
    config = str(ROOT / "web-service" / "gunicorn.conf.py")
    done = subprocess.run(
        [GUNICORN[0], "--check-config", "-c", config],
        cwd=tmp_path, env=environment(**given), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log.jsonl").exists()
