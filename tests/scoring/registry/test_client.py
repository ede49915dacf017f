"""A registry that cannot be asked: what was seen, in its own words, and what to do about it."""

from __future__ import annotations

import base64
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from scoring.registry.client import Client
from scoring.registry.errors import RegistryUnavailable, VersionNotFound, VersionRejected
from scoring.registry.settings import RegistrySettings
from scoring.registry.stores import open_store
from tests.scoring.registry.asking import problem
from tests.scoring.registry.scripted import Bench, Registry, send
from tests.support import free_port

pytestmark = pytest.mark.usefixtures("nothing_from_outside")


def refusal(registry: Registry, status: int, body: bytes, **settings: Any) -> str:
    """Return the message where the registry answers with this status and body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    registry.instead = answer
    return problem(registry.url, **settings)


def test_a_host_header_that_mlflow_refuses_is_no_wrong_login(registry: Registry) -> None:
    """MLflow says so itself; its server has an option for it."""
    said = b"Invalid Host header - possible DNS rebinding attack detected"
    told = refusal(registry, 403, said)
    host = registry.url.removeprefix("http://")
    assert "HTTP 403: 'Invalid Host header - possible DNS rebinding attack detected'" in told
    assert f"--allowed-hosts {host}" in told
    assert "PASSWORD" not in told


@pytest.mark.parametrize(
    ("settings", "login"),
    [
        ({}, "without a login"),
        ({"mlflow_tracking_username": "me", "mlflow_tracking_password": "hidden"}, "as MLFLOW_TR"),
        ({"mlflow_tracking_token": "hidden"}, "with MLFLOW_TRACKING_TOKEN"),
    ],
)
def test_a_refused_login_says_which_one_was_sent(
    registry: Registry, settings: dict[str, str], login: str
) -> None:
    """Its name, never its value."""
    told = refusal(registry, 401, b"You are not authenticated.", **settings)
    assert "HTTP 401: 'You are not authenticated.'" in told
    assert f"it was asked {login}" in told
    assert "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in told
    assert "hidden" not in told


def test_a_login_that_comes_from_outside_is_named(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the address, or in a netrc file that nobody thought of."""
    with_login = registry.url.replace("//", "//me:hidden@")
    registry.instead = lambda handler: send(handler, 401, {})
    assert "with the login in MLFLOW_TRACKING_URI" in problem(with_login)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hidden\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert "with the login that the netrc file has" in problem(registry.url)


def test_a_login_in_the_address_goes_before_a_netrc_file(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What we are given wins over what somebody's home folder holds."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password hidden\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    sent: list[str | None] = []

    def note(handler: BaseHTTPRequestHandler) -> None:
        sent.append(handler.headers["Authorization"])
        registry.answer(handler)

    registry.instead = note
    address = registry.url.replace("//", "//me:a%40b@")
    with pytest.raises(VersionNotFound):
        Client(RegistrySettings(mlflow_tracking_uri=address)).find("ride", "champion")
    assert sent == [f"Basic {base64.b64encode(b'me:a@b').decode()}"]


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "a SOCKS proxy cannot be used here"),
        ("HTTP_PROXY", "http://proxy:port", "the address cannot be read"),
        ("HTTP_PROXY", "http://", "the address cannot be read"),
    ],
)
def test_a_proxy_that_is_none_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """With the variable that it came from, and how to go without."""
    monkeypatch.setenv(variable, value)
    told = problem(registry.url)
    assert says in told
    assert f"{variable}={value}; NO_PROXY=127.0.0.1 goes without" in told


def test_a_bundle_of_the_environment_without_certificates_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL says that there is no certificate, and not where."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", __file__)
    told = problem(registry.url.replace("http:", "https:"))
    assert f"REQUESTS_CA_BUNDLE='{__file__}' cannot be used" in told


def test_a_user_who_may_not_read_is_told_so(registry: Registry) -> None:
    """MLflow's own 403 is JSON: the login was right."""
    body = b'{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}'
    assert "may not read the model: give it READ" in refusal(registry, 403, body)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (502, b"<html><style>a{}</style><h1>Bad   Gateway</h1></html>", "HTTP 502: 'Bad Gateway'"),
        (500, b'{"error_code": "INTERNAL_ERROR"}', "HTTP 500: 'INTERNAL_ERROR'"),
        (503, b'{"detail": "starting"}', "HTTP 503: 'starting'"),
        (503, b"", "HTTP 503"),
        (503, b"\x1b[31mred\r\n\x00\xff", "HTTP 503: '[31mred \N{REPLACEMENT CHARACTER}'"),
        (400, b"The plain HTTP request was sent to HTTPS port", "; write https:// in MLFLOW"),
        (407, b"", "a proxy asks for a login"),
    ],
)
def test_a_server_s_own_words_are_shown(
    registry: Registry, status: int, body: bytes, words: str
) -> None:
    """Of a page its text, of JSON its message; on one line, and printable."""
    told = refusal(registry, status, body)
    assert words in told
    assert told.isprintable()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", r"what came is no HTTP: 'SSH-2\.0-OpenSSH_9\.6'$"),
        (b"\x15\x03\x03\x00\x02\x02\x16", r"no HTTP: '.*'; does it want TLS\? Then write https://"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
            "answered JSON that is no object: is",
        ),
        (b"HTTP/1.1 301 Moved\r\nLocation: /ui/\r\n\r\n", "redirects to /ui/: is there a login"),
    ],
    ids=["another protocol", "TLS", "no object", "a redirect within"],
)
def test_another_server_is_not_taken_for_a_silent_one(said: bytes, words: str) -> None:
    """What it said is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as caller:
                caller.recv(4096)
                caller.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        told = problem(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert re.search(words, told)


def test_a_server_s_words_are_bounded(registry: Registry) -> None:
    """A page of a megabyte is not for the log."""
    assert len(refusal(registry, 500, b"word " * 200_000)) < 500


def test_a_refused_connection_and_an_unknown_name_are_told_apart() -> None:
    """The system's words, without the password in the address."""
    told = problem(f"http://me:hidden@127.0.0.1:{free_port()}")
    assert "does not answer: Connection refused" in told
    assert "hidden" not in told
    assert "Name or service not known" in problem("http://no-such-host.invalid")


@pytest.mark.parametrize("token", ["example-token\n", "ex\nample-token", "→→→→→→"])
def test_no_token_makes_another_exception(token: str) -> None:
    """Settings refuse these; should one come all the same, it is told, and its value is not."""
    settings = RegistrySettings.model_construct(
        **{
            **RegistrySettings().model_dump(),
            "mlflow_tracking_uri": "http://127.0.0.1:9",
            "mlflow_tracking_token": token,
        }
    )
    with pytest.raises(RegistryUnavailable) as unavailable:
        Client(settings).find("ride", "champion")
    assert token.strip() not in str(unavailable.value)


@pytest.mark.slow
def test_a_silent_server_is_told_apart_from_an_absent_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It accepts, and says nothing."""
    monkeypatch.setattr("scoring.registry.client._READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = problem(f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert "no byte came within" in told


def test_a_source_that_names_a_run_or_a_logged_model_is_looked_up(bench: Bench) -> None:
    """The version's place is the run's, and the path below it."""
    folder = bench.add("1")
    usual = bench.registry.answer
    roots = {
        "/runs/get?run_id=abc": {"run": {"info": {"artifact_uri": str(folder.parent)}}},
        "/logged-models/m-7": {"model": {"info": {"artifact_uri": str(folder)}}},
    }

    def answer(handler: BaseHTTPRequestHandler) -> None:
        found = next((roots[end] for end in roots if handler.path.endswith(end)), None)
        send(handler, 200, found) if found else usual(handler)

    bench.registry.instead = answer
    for number, source in (("1", "runs:/abc/ride"), ("2", "models:/m-7"), ("3", "runs:/abc/ride/")):
        bench.registry.locations[number] = source
        assert bench.follow(number).refused is None
        assert bench.serving() == number


def test_a_run_without_a_place_is_told(bench: Bench) -> None:
    """And a source that names no run is no place that is read."""
    bench.add("1")
    usual = bench.registry.answer
    bench.registry.instead = lambda handler: (
        send(handler, 200, {"run": {}}) if "/runs/get" in handler.path else usual(handler)
    )
    bench.registry.locations["1"] = "runs:/abc/ride"
    refused = bench.follow("1").refused
    assert refused
    assert "names no place for the files of ride-duration 1, runs:/abc" in refused.reason
    settings = bench.settings
    with pytest.raises(VersionRejected, match="the service reads"):
        open_store("runs:/", Client(settings), settings)
