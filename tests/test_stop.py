"""A stop in peace: what was accepted is answered, idle connections are not waited for."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.models import discover
from tests.load import Fate, Load, Request
from tests.support import Server, serving, stop, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)
BODY = json.dumps(EXAMPLE).encode()
HEADERS = {"Content-Type": "application/json"}
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def accepted(port: int) -> int:
    """Return the number of open connections to `port` that a worker has accepted.

    What still waits in the kernel belongs to no process and has the inode 0.
    """
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [row for row in rows if int(row[1].rpartition(":")[2], 16) == port]
    return sum(row[3] == "01" and row[9] != "0" for row in ours)


@pytest.fixture
def alone(models_dir: Path, tmp_path: Path) -> Iterator[Server]:
    """Yield a gunicorn of one worker with two threads that a test may stop.

    Its grace is long, so that what waits for its end is seen to wait.
    """
    more = {"WORKERS": "1", "THREADS": "2", "GRACEFUL_TIMEOUT": "30"}
    with serving(models_dir, tmp_path / "log", **more) as running_alone:
        try:
            yield running_alone
        finally:
            if running_alone.process.poll() is None:
                running_alone.process.send_signal(signal.SIGQUIT)  # at once


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_no_request(models_dir: Path, tmp_path: Path, workers: str) -> None:
    """Every connection that was kept gets its answer after SIGTERM and is told that it closes.

    The process ends in time. A connection that no worker has taken yet is reset.
    """
    more = {"WORKERS": workers, "THREADS": "2", "GRACEFUL_TIMEOUT": "8"}
    asked = [Request.of("/predict", EXAMPLE)]
    with serving(models_dir, tmp_path / "log", **more) as server:
        address = ("127.0.0.1", server.port)
        with Load(address, asked, clients=12, until_refused=True) as load:
            wait_for(lambda: load.everybody_has(5), "every client to be answered")
            stop(server)
            load.join()
    assert load.statuses() == {200}
    assert load.failed(Fate.CLOSED, Fate.BROKEN) == []
    assert "Traceback" not in server.log.read_text()


def test_requests_that_wait_in_line_are_answered_at_a_stop(alone: Server) -> None:
    """Two requests half sent hold both threads, six wait behind them: all are answered."""
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
