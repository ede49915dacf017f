"""A real gunicorn over our configuration: it starts, logs, loses a worker, and stops in peace."""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from scoring.models import discover
from tests.support import ROOT, Server, environment, free_port, post, records, serving, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)
BODY = json.dumps(EXAMPLE).encode()
HEADERS = {"Content-Type": "application/json"}
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def children(pid: int) -> set[int]:
    """Gives the processes that `pid` started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in found if running(int(child))}


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def accepted(port: int) -> int:
    """Gives the number of open connections to `port` that a worker has accepted: what still waits
    in the kernel belongs to no process and has the inode 0."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if int(row[1].rpartition(":")[2], 16) == port]
    return sum(row[3] == "01" and row[9] != "0" for row in ours)


def stop(server: Server, within_s: float = 10) -> None:
    """Sends SIGTERM and makes sure that the process ends well in time."""
    server.process.terminate()
    assert server.process.wait(within_s) == 0


def logged(server: Server) -> list[dict[str, Any]]:
    """Gives the objects of the log, of which every line is one."""
    text = server.log.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].split("\n")[:-1]]


def accesses(server: Server) -> list[dict[str, Any]]:
    """Gives what the log says of requests."""
    return [line for line in logged(server) if line["event"] == "request"]


@pytest.fixture
def alone(models_dir: Path, tmp_path: Path) -> Iterator[Server]:
    """A gunicorn of one worker with two threads that a test may stop; its grace is long, so that
    what waits for its end is seen to wait."""
    more = {"WORKERS": "1", "THREADS": "2", "GRACEFUL_TIMEOUT": "30"}
    with serving(models_dir, tmp_path / "log", **more) as running_alone:
        try:
            yield running_alone
        finally:
            if running_alone.process.poll() is None:
                running_alone.process.send_signal(signal.SIGQUIT)  # at once


@dataclass
class Tally:
    """What became of the requests of several threads."""

    answered: collections.Counter[int] = field(default_factory=collections.Counter)
    by_thread: collections.Counter[int] = field(default_factory=collections.Counter)
    lost: list[str] = field(default_factory=list)


def ask_until_refused(port: int, number: int, tally: Tally) -> None:
    """Posts on a connection that is kept until the server says that it closes it, then on a new
    one, until there is no server any more. A connection that was never answered on was not
    accepted yet; one that was, and ends without an answer, has lost a request."""
    connection = None
    while True:
        fresh = connection is None
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.connect()
            connection.request("POST", "/predict", BODY, HEADERS)
            response = connection.getresponse()
            json.loads(response.read())
        except ConnectionRefusedError:
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not fresh:
                tally.lost.append(repr(error))
            connection = None
            continue
        tally.answered[response.status] += 1
        tally.by_thread[number] += 1
        if response.will_close:
            connection.close()
            connection = None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_no_request(models_dir: Path, tmp_path: Path, workers: str) -> None:
    """At SIGTERM every connection that was kept gets an answer to what it has sent, is told that
    it closes, and the process ends in time."""
    tally = Tally()
    more = {"WORKERS": workers, "THREADS": "2", "GRACEFUL_TIMEOUT": "8"}
    with serving(models_dir, tmp_path / "log", **more) as server:
        threads = [
            threading.Thread(target=ask_until_refused, args=(server.port, number, tally))
            for number in range(12)
        ]
        for thread in threads:
            thread.start()
        wait_for(
            lambda: len(tally.by_thread) == 12 and min(tally.by_thread.values()) >= 5,
            "every thread to be answered",
        )
        stop(server)
        for thread in threads:
            thread.join(30)
    assert set(tally.answered) == {200}
    assert tally.lost == []
    assert "Traceback" not in server.log.read_text()


def test_requests_that_wait_in_line_are_answered_at_a_stop(alone: Server) -> None:
    """Two requests half sent hold both threads, six wait behind them: SIGTERM comes, the halves
    are completed, and all eight are answered."""
    open_ones = [socket.create_connection(("127.0.0.1", alone.port), 30) for _ in range(8)]
    with contextlib.ExitStack() as stack:
        for connection in open_ones:
            stack.enter_context(connection)
        head = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY)
        for connection in open_ones[:2]:
            connection.sendall(head + BODY[:10])
        for connection in open_ones[2:]:
            connection.sendall(head + BODY)
        wait_for(lambda: accepted(alone.port) == 8, "the worker to accept all connections")
        alone.process.terminate()
        wait_for(lambda: "Handling signal: term" in alone.log.read_text(), "the signal")
        for connection in open_ones[:2]:
            connection.sendall(BODY[10:])
        for connection in open_ones:
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.status == 200
            assert "duration" in json.loads(response.read())
            connection.close()
    assert alone.process.wait(10) == 0


@pytest.mark.parametrize("asked", [True, False], ids=["kept", "silent"])
def test_an_idle_connection_does_not_hold_a_stop_up(alone: Server, asked: bool) -> None:
    """A load balancer keeps connections open: who sends nothing is not waited for."""
    connection = http.client.HTTPConnection("127.0.0.1", alone.port, timeout=30)
    connection.connect()
    if asked:
        connection.request("GET", "/ping")
        response = connection.getresponse()
        assert response.read() == b"PONG"
        assert not response.will_close
    wait_for(lambda: accepted(alone.port) == 1, "the worker to accept the connection")
    stop(alone, within_s=20)
    connection.close()


def test_a_kept_connection_is_answered_once_more_during_a_stop(alone: Server) -> None:
    """A request that follows at once on a connection that was kept meets no closed door."""
    connection = http.client.HTTPConnection("127.0.0.1", alone.port, timeout=30)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b"PONG"
    alone.process.terminate()
    wait_for(lambda: "Handling signal: term" in alone.log.read_text(), "the signal")
    connection.request("POST", "/predict", BODY, HEADERS)
    response = connection.getresponse()
    assert response.status == 200
    connection.close()
    assert alone.process.wait(10) == 0


def test_a_worker_that_is_killed_is_replaced(models_dir: Path, tmp_path: Path) -> None:
    """The other worker goes on answering, and a new one takes the place."""
    with serving(models_dir, tmp_path / "log", WORKERS="2") as server:
        before = wait_for(
            lambda: len(found := children(server.process.pid)) == 2 and found, "two workers"
        )
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: not running(victim), "the worker to die")
        for _ in range(20):
            assert post(f"{server.url}/predict", EXAMPLE).status_code == 200
        wait_for(
            lambda: len(now := children(server.process.pid)) == 2 and victim not in now,
            "a new worker",
        )
        answering = set()

        def both_answer() -> bool:
            post(f"{server.url}/predict", EXAMPLE)
            answering.update(found["pid"] for found in accesses(server))
            return answering >= children(server.process.pid)

        wait_for(both_answer, "the new worker to answer")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_there_are_as_many_workers_as_set(models_dir: Path, tmp_path: Path, workers: str) -> None:
    """WORKERS is their number; PORT is where they listen."""
    with serving(models_dir, tmp_path / "log", WORKERS=workers) as server:
        wait_for(lambda: len(children(server.process.pid)) >= int(workers), "the workers")
        assert len(children(server.process.pid)) == int(workers)
        assert f"Listening at: http://127.0.0.1:{server.port} " in server.log.read_text()


def test_libraries_have_one_thread_in_a_worker(models_dir: Path, tmp_path: Path) -> None:
    """The server's threads are the parallelism: BLAS and OpenMP get one each, unless set."""
    page = """
@app.get("/threads")
def threads():
    import sklearn.linear_model, threadpoolctl
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
        with serving(models_dir, tmp_path / "log", folder=tmp_path, **given) as server:
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
        found = start(PORT=str(port), MODELS_DIR=str(models_dir))
    assert found.returncode == 1
    assert f"Connection in use: ('127.0.0.1', {port})" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A models folder that is none stops the start with the system's own words."""
    (tmp_path / "models").write_text("a file")
    found = start(MODELS_DIR=str(tmp_path / "models"))
    assert found.returncode == 1
    [line] = found.stderr.splitlines()
    assert line.startswith("prediction-service cannot start: model 'ride': ")
    assert "cannot be read: Not a directory" in line


def start(**settings: str) -> subprocess.CompletedProcess[str]:
    """Gives what became of a gunicorn that is to stop by itself."""
    command = [Path(sys.executable).with_name("gunicorn"), "-c", "web-service/gunicorn.conf.py"]
    given = {"HOST": "127.0.0.1", "PORT": str(free_port()), "WORKERS": "1", **settings}
    return subprocess.run(
        command, cwd=ROOT, env=environment(**given), capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


def test_a_host_of_ipv6_is_listened_on(models_dir: Path, tmp_path: Path) -> None:
    """HOST=::1 is an address like another."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    command = [Path(sys.executable).with_name("gunicorn"), "-c", "web-service/gunicorn.conf.py"]
    given = {"HOST": "::1", "PORT": str(port), "WORKERS": "1", "MODELS_DIR": str(models_dir)}
    log = tmp_path / "log"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://[::1]:{port}/ping", timeout=5).text == "PONG"
        return False

    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(**given), stdout=out, stderr=out
        )
    try:
        wait_for(answers, "the server to answer")
    finally:
        process.terminate()
        process.wait(20)


def test_every_request_is_one_line_of_the_log(models_dir: Path, tmp_path: Path) -> None:
    """Time, level, process, caller, route, status, milliseconds, id, model and version; the id is
    that of the answer."""
    with serving(models_dir, tmp_path / "log", WORKERS="1") as server:
        versions = {
            m["name"]: m["version"]
            for m in requests.get(f"{server.url}/models", timeout=30).json()["models"]
        }
        asked = [
            ("/predict", EXAMPLE, 200, "/predict", "ride"),
            ("/predict", {}, 422, "/predict", "ride"),
            ("/predict/churn", [], 200, "/predict/<name>", "churn"),
            ("/predict/churn?explain=false", [], 200, "/predict/<name>", "churn"),
            ("/nowhere?key=value", {}, 404, "_other", None),
        ]  # fmt: skip
        for number, (path, value, _, _, _) in enumerate(asked):
            response = post(server.url + path, value, {"X-Request-ID": f"test-{number}"})
            assert response.headers["X-Request-ID"] == f"test-{number}"
        found = wait_for(lambda: len(all_ := accesses(server)) >= 7 and all_[2:], "the log")
        for number, (line, (path, _, status, route, model)) in enumerate(
            zip(found, asked, strict=True)
        ):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
            assert {line.pop("pid")} == children(server.process.pid)
            assert 0 < line.pop("ms") < 30_000
            assert line == {
                "level": "info", "event": "request", "request_id": f"test-{number}",
                "client": "127.0.0.1", "method": "POST", "target": path, "route": route,
                "status": status, "model": model, "version": versions.get(model),
            }  # fmt: skip


def test_a_person_reads_words(models_dir: Path, tmp_path: Path) -> None:
    """LOG_FORMAT=text, as on a terminal: a line a request in words, and the server's own."""
    with serving(models_dir, tmp_path / "log", WORKERS="1", LOG_FORMAT="text") as server:
        headers = {"X-Request-ID": "test"}
        assert post(f"{server.url}/predict", EXAMPLE, headers).status_code == 200
        line = r"[0-9-]+T[0-9:.]+Z \d+ INFO 127.0.0.1 POST /predict 200 [0-9.]+ms test\n"
        wait_for(lambda: re.search(line, server.log.read_text()), "the log")
    assert re.search(r"Z \d+ INFO Listening at: ", server.log.read_text())


def test_only_what_went_wrong_can_be_logged(models_dir: Path, tmp_path: Path) -> None:
    """ACCESS_LOG=errors leaves out what was answered well."""
    with serving(models_dir, tmp_path / "log", WORKERS="1", ACCESS_LOG="errors") as server:
        assert post(f"{server.url}/predict", EXAMPLE).status_code == 200
        assert post(f"{server.url}/predict", {}).status_code == 422
        stop(server)
    assert [line["status"] for line in accesses(server)] == [422]


@pytest.mark.parametrize(
    "path",
    ["/%0A2026-01-01%2000:00:00,000%201%20INFO%20all%20is%20well", "/%0d%0Aforged", "/a%00b",
     '/"%20200%200%200ms%20forged', "/x?\x0b\x85\x1b[2Jforged", "/%E2%80%A8forged"],
    ids=["newline", "crlf", "nul", "quote", "controls", "line separator"],
)  # fmt: skip
def test_a_path_cannot_forge_a_line(server: Server, path: str) -> None:
    """Whatever is asked for, it stays within its own line of the log."""
    mark = f"mark-{abs(hash(path))}-{os.getpid()}"
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        line = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {mark}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(line.encode("latin-1"))
        answer = connection.makefile("rb").read()
    status = int(answer.split()[1])
    assert 400 <= status < 500
    if mark.encode() not in answer:
        return  # gunicorn refused the line before it was a request: nothing is logged

    def written() -> list[str]:
        return [line for line in server.log.read_text().split("\n") if mark in line]

    [line] = wait_for(written, "the log")
    assert json.loads(line)["request_id"] == mark
    assert "\x1b" not in line, "a control character moves a terminal's cursor"


def test_an_id_cannot_forge_a_line(server: Server) -> None:
    """An ill-formed X-Request-ID is not logged: the new one is."""
    response = requests.get(f"{server.url}/ping", headers={"X-Request-ID": "a b"}, timeout=30)
    given = response.headers["X-Request-ID"]
    wait_for(lambda: given in server.log.read_text(), "the log")
    assert '"a b"' not in server.log.read_text()


def test_the_access_log_can_be_switched_off(models_dir: Path, tmp_path: Path) -> None:
    """ACCESS_LOG=off leaves the server's own lines."""
    with serving(models_dir, tmp_path / "log", WORKERS="1", ACCESS_LOG="off") as server:
        assert post(f"{server.url}/predict", EXAMPLE).status_code == 200
        stop(server)
    text = server.log.read_text()
    assert "Listening at: " in text
    assert "Shutting down" in text
    assert "predict" not in text
    assert "ping" not in text


def test_the_log_tells_as_much_as_it_is_set_to(models_dir: Path, tmp_path: Path) -> None:
    """LOG_LEVEL=warning leaves a start in silence; the access log is a matter of its own."""
    with serving(models_dir, tmp_path / "log", WORKERS="1", LOG_LEVEL="warning") as server:
        stop(server)
    assert logged(server)
    assert {line["event"] for line in logged(server)} == {"request"}


def test_what_is_no_http_is_answered_with_a_problem(server: Server) -> None:
    """gunicorn's own errors carry our type, an id and the version."""
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
