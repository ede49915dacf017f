"""The log of a real gunicorn: a line a request, in which nobody can forge another."""

from __future__ import annotations

import re
import socket
import uuid
from pathlib import Path

import pytest
import requests

from scoring.models import discover
from tests.support import Server, children, post, serving, stop, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)


def test_every_request_is_one_line_of_the_log(models_dir: Path, tmp_path: Path) -> None:
    """It has time, level, process, caller, route, status, milliseconds, id, model and version.

    The id is that of the answer.
    """
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
        found = wait_for(lambda: len(all_ := server.accesses()) >= 7 and all_[2:], "the log")
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
    assert [line["status"] for line in server.accesses()] == [422]


def get(server: Server, path: str, request_id: str) -> int:
    """Ask for `path`, byte by byte as it is given, and return the status."""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {request_id}\r\n"
    with (
        socket.create_connection(("127.0.0.1", server.port), 30) as connection,
        connection.makefile("rb") as stream,
    ):
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode("latin-1"))
        return int(stream.read().split()[1])


@pytest.mark.parametrize(
    "path",
    ["/%0A2026-01-01%2000:00:00,000%201%20INFO%20all%20is%20well", "/%0d%0Aforged", "/a%00b",
     '/"%20200%200%200ms%20forged', "/%E2%80%A8forged"],
    ids=["newline", "crlf", "nul", "quote", "line separator"],
)  # fmt: skip
def test_a_path_cannot_forge_a_line(server: Server, path: str) -> None:
    """Whatever is asked for, it stays within its own line of the log, as it was sent."""
    mark = uuid.uuid4().hex
    assert get(server, path, mark) == 404
    [line] = wait_for(lambda: [one for one in server.logged() if mark in str(one)], "the log")
    assert (line["request_id"], line["target"]) == (mark, path)


def test_a_path_that_moves_a_terminals_cursor_is_refused(server: Server) -> None:
    """Control characters in a request line are no HTTP: nothing of it reaches the log."""
    mark = uuid.uuid4().hex
    assert get(server, f"/x?\x0b\x85\x1b[2J{mark}", mark) == 400
    assert get(server, f"/{mark}-after", mark) == 404
    lines = wait_for(lambda: [one for one in server.accesses() if mark in str(one)], "the log")
    assert [line["target"] for line in lines] == [f"/{mark}-after"]
    assert "\x1b" not in server.log.read_text()


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
    assert server.logged()
    assert {line["event"] for line in server.logged()} == {"request"}
