"""examples/ride.py, run as a person runs it, against a small real HTTP server."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts servers and processes

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "ride.py"
PROBLEM = {
    "type": "about:blank",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "2 fields are wrong",
    "errors": [
        {"field": "PULocationID", "problem": "must be 1 to 265"},
        {"field": "trip_distance", "problem": "is missing"},
    ],
}


class Service(ThreadingHTTPServer):
    """Answers every POST with `answer` and keeps what was posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = (200, "application/json", b'{"duration": 37.4, "model_version": "3"}')
        self.posted: list[tuple[str, object]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/predict/ride"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, json.loads(body)))
        status, content_type, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def ask(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--url", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_posts_one_ride_and_prints_the_answer(service: Service) -> None:
    """The contract's example is posted and the service's answer printed."""
    result = ask(service.url)

    ride = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}
    assert service.posted == [("/predict/ride", ride)]
    assert result.returncode == 0
    assert "37.4" in result.stdout
    assert result.stderr == ""


def test_prints_every_reason_of_a_refusal(service: Service) -> None:
    """A problem+json answer is printed as one line a field, and the exit status is 1."""
    service.answer = (422, "application/problem+json", json.dumps(PROBLEM).encode())

    result = ask(service.url)

    assert result.returncode == 1
    assert result.stdout == ""
    first, *fields = result.stderr.splitlines()
    assert first.startswith("422")
    assert "2 fields are wrong" in first
    assert fields == ["  PULocationID: must be 1 to 265", "  trip_distance: is missing"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((502, "text/html", b"<h1>Bad Gateway</h1>"), id="a proxy's error page"),
        pytest.param((200, "text/html", b"<h1>hello</h1>"), id="a page instead of JSON"),
    ],
)
def test_an_answer_from_something_else_is_one_line(
    service: Service, answer: tuple[int, str, bytes]
) -> None:
    """What is not the service's own answer ends in one line and exit status 1, no traceback."""
    service.answer = answer

    result = ask(service.url)

    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_says_how_to_start_a_service_that_is_away() -> None:
    """A refused connection is one line that names the address and `make run`."""
    with socket.socket() as nobody:  # bound and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/predict/ride"
        result = ask(url)

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert url in result.stderr
    assert "make run" in result.stderr
