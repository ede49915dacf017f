"""Slow senders, idle connections, requests ahead of their turn: nobody keeps others waiting."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from scoring.models import discover
from tests.support import Server, post, serving, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)
BODY = json.dumps(EXAMPLE).encode()
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def hasty(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker with two threads and little patience: two seconds for a request, two idle."""
    log = tmp_path_factory.mktemp("hasty") / "log"
    more = {"WORKERS": "1", "THREADS": "2", "TIMEOUT": "2", "KEEP_ALIVE": "2"}
    with serving(models_dir, log, **more, MAX_CONNECTIONS="1500") as running:
        yield running


def connect(server: Server) -> socket.socket:
    """Return a new connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), 30)


def answers(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """Return so many answers, in order."""
    stream = connection.makefile("rb")
    return [answer(stream) for _ in range(count)]


def answer(stream: Any) -> tuple[int, bytes]:
    """Return the next answer in a stream of bytes."""
    status = int(stream.readline().split()[1])
    headers = http.client.parse_headers(stream)
    return status, stream.read(int(headers["Content-Length"]))


@pytest.mark.parametrize(
    "start",
    [b"G", b"POST /predict HTTP/1.1\r\nHost: x\r\n", HEAD + b"Content-Length: 60\r\n\r\n{",
     b"POST /models/ride/try HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n"
     b"Content-Type: application/x-www-form-urlencoded\r\n\r\na"],
    ids=["request line", "head", "body", "form"],
)  # fmt: skip
def test_a_request_that_does_not_come_to_its_end_is_cut(hasty: Server, start: bytes) -> None:
    """408 as a problem document, then the connection is closed."""
    with connect(hasty) as connection:
        connection.sendall(start)
        [(status, body)] = answers(connection, 1)
        assert status == json.loads(body)["status"] == 408
        assert connection.makefile("rb").read() == b""


def test_a_byte_at_a_time_is_cut_as_well(hasty: Server) -> None:
    """Patience is for the whole request, not for each of its bytes."""
    with connect(hasty) as connection, contextlib.suppress(OSError):
        connection.settimeout(0.3)
        for byte in WHOLE:
            connection.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                found = connection.recv(4096)
                break
        assert b" 408 " in found.split(b"\r\n")[0]


def test_an_idle_connection_is_closed_after_its_time(hasty: Server) -> None:
    """Whether something was ever asked on it or not; without an answer to nothing."""
    with connect(hasty) as silent, connect(hasty) as kept:
        kept.sendall(PING)
        assert answers(kept, 1) == [(200, b"PONG")]
        assert silent.makefile("rb").read() == b""
        assert kept.makefile("rb").read() == b""


def test_slow_senders_and_a_thousand_idle_connections_stop_nobody(hasty: Server) -> None:
    """More senders stall than there are threads, and a thousand say nothing.

    Records, pages and probes are answered all the same.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(connect(hasty)) for _ in range(50)]
        for number, connection in enumerate(stalled):
            connection.sendall(HEAD + b"Content-Length: 60\r\n\r\n" + b"{" * (number % 2))
        for _ in range(1000):
            stack.enter_context(connect(hasty))
        for path in ("/ping", "/health/ready", "/models"):
            assert requests.get(hasty.url + path, timeout=1).status_code == 200
        assert requests.post(f"{hasty.url}/predict", json=EXAMPLE, timeout=1).status_code == 200


def test_a_connection_too_many_is_told_so(models_dir: Path, tmp_path: Path) -> None:
    """503 with a problem document, and closed; one that ends makes room."""
    more = {"WORKERS": "1", "MAX_CONNECTIONS": "2"}
    with serving(models_dir, tmp_path / "log", **more) as server, contextlib.ExitStack() as stack:

        def two_are_taken() -> bool:
            pair = [stack.enter_context(connect(server)) for _ in range(2)]
            for connection in pair:
                connection.sendall(PING)
            return [answers(connection, 1)[0][0] for connection in pair] == [200, 200]

        wait_for(two_are_taken, "both places to be free")
        with connect(server) as third:
            [(status, body)] = answers(third, 1)
            assert status == json.loads(body)["status"] == 503
            assert third.makefile("rb").read() == b""
        stack.close()
        wait_for(lambda: post(f"{server.url}/predict", EXAMPLE).status_code == 200, "room")


@pytest.mark.parametrize("first", [WHOLE, PING], ids=["fast path", "delegated"])
@pytest.mark.parametrize("behind", [PING, WHOLE * 10_000, b"x"], ids=["one", "many", "nonsense"])
def test_a_request_with_others_behind_it_is_the_last_one_answered(
    hasty: Server, first: bytes, behind: bytes
) -> None:
    """Pipelining is answered by closing, which the answer says, however much is still sent."""
    with connect(hasty) as connection:
        sender = threading.Thread(target=connection.sendall, args=(first + behind,))
        sender.start()
        found = connection.makefile("rb").read()
        sender.join(30)
    assert found.count(b"HTTP/1.1 ") == found.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in found
    status, body = answer(io.BytesIO(found))
    assert (status, body == b"PONG") == (200, first == PING)


def test_a_blank_line_behind_a_request_is_no_request(hasty: Server) -> None:
    """Old clients end a body with one (RFC 9112, section 2.2): the connection is kept."""
    with connect(hasty) as connection:
        for _ in range(2):
            connection.sendall(WHOLE + b"\r\n")
            assert answers(connection, 1)[0][0] == 200


def test_a_request_that_ends_anywhere_gets_one_answer_at_most(hasty: Server) -> None:
    """Who stops sending within a head is not answered, within a body gets a 400; nobody waits."""
    for request in (WHOLE, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"):
        body = request.index(b"\r\n\r\n") + 4
        for end in range(len(request)):
            with connect(hasty) as connection:
                connection.sendall(request[:end])
                connection.shutdown(socket.SHUT_WR)
                found = connection.makefile("rb").read()
            assert found.startswith(b"HTTP/1.1 400 ") == (end >= body)
            assert found.count(b"HTTP/1.1") == (end >= body)


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_a_request_may_come_in_pieces(hasty: Server, size: int) -> None:
    """However the network cuts it."""
    with connect(hasty) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(WHOLE), size):
            connection.sendall(WHOLE[start : start + size])
        [(status, body)] = answers(connection, 1)
        assert status == 200
        assert json.loads(body)["duration"] >= 0


def test_a_caller_who_hangs_up_is_nobodys_loss(hasty: Server) -> None:
    """Half-sent, unread, reset: the log holds no failure and the next one is answered."""
    for part in (b"", WHOLE[:30], WHOLE[:-5], WHOLE, PING * 2):
        connection = connect(hasty)
        connection.sendall(part)
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close() resets
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
    assert post(f"{hasty.url}/predict", EXAMPLE).status_code == 200
    assert "Traceback" not in hasty.log.read_text()


def test_readiness_says_no_before_a_stop_does(models_dir: Path, tmp_path: Path) -> None:
    """New connections are still taken for DRAIN_SECONDS after SIGTERM.

    Ready is a 503 with the reason, live is not, and what is asked is answered.
    """
    more = {"WORKERS": "1", "GRACEFUL_TIMEOUT": "30", "DRAIN_SECONDS": "20"}
    with serving(models_dir, tmp_path / "log", **more) as server:
        ready = f"{server.url}/health/ready"
        assert requests.get(ready, timeout=30).status_code == 200
        server.process.terminate()

        def refusal() -> list[requests.Response]:
            answer = requests.get(ready, timeout=30)
            return [answer] if answer.status_code != 200 else []

        [refused] = wait_for(refusal, "readiness to say no", 15)  # it says so for twenty seconds
        assert refused.status_code == 503
        assert "stopping" in refused.json()["detail"]
        assert refused.headers["Retry-After"] == "1"
        assert requests.get(f"{server.url}/health/live", timeout=30).status_code == 200
        assert post(f"{server.url}/predict", EXAMPLE).headers["Connection"] == "close"
        server.process.send_signal(3)  # SIGQUIT: at once


def test_many_at_the_same_time_lose_nothing(hasty: Server) -> None:
    """Two hundred connections with five requests each, all answered."""
    lost: list[object] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", hasty.port, timeout=30)
        with contextlib.closing(connection):
            for _ in range(5):
                connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
                response = connection.getresponse()
                if (response.status, json.loads(response.read()).keys() >= {"duration"}) != (
                    200,
                    True,
                ):
                    lost.append(response.status)

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert lost == []
