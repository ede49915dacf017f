"""A registry behind TLS or a proxy: what we set wins, what comes from outside is named."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import write_pki
from tests.scoring.registry.asking import problem
from tests.scoring.registry.scripted import Registry, send
from tests.support import free_port

pytestmark = pytest.mark.usefixtures("nothing_from_outside")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates: an authority's, a server's and a stranger's."""
    return write_pki(tmp_path_factory.mktemp("tls"))


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            send(self, 503, {"message": "reached"})

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # a client that does not trust us is what is tested

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_what_we_set_wins_over_the_environment(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are other programs': our own settings come first."""
    trusted = authority / "authority.pem"
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        with monkeypatch.context() as patch, tls_server(authority) as url:
            patch.setenv(name, str(authority / "stranger.pem"))
            assert "reached" in problem(url, mlflow_tracking_server_cert_path=trusted)
            assert "reached" in problem(url, mlflow_tracking_insecure_tls=True)
            told = problem(url)
            assert "its certificate is not trusted (unable to get local issuer" in told
            assert f"MLFLOW_TRACKING_SERVER_CERT_PATH instead of {name}, which was used" in told
            patch.setenv(name, str(trusted))
            assert "reached" in problem(url)


def test_a_bundle_of_the_environment_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is an OSError of requests, not one of its own exceptions."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    told = problem("https://127.0.0.1:9")
    assert "REQUESTS_CA_BUNDLE='/nowhere/ca.pem' cannot be used" in told


def test_a_certificate_for_another_address_needs_no_other_authority(authority: Path) -> None:
    """Trusting it would not help."""
    with tls_server(authority) as url:
        told = problem(
            url.replace("127.0.0.1", "127.0.0.2"),
            mlflow_tracking_server_cert_path=authority / "authority.pem",
        )
    assert "mismatch" in told or "Connection refused" in told
    assert "SERVER_CERT_PATH" not in told


def test_tls_and_plain_http_that_meet_say_which_to_write(
    registry: Registry, authority: Path
) -> None:
    """Neither is a certificate that is not trusted."""
    told = problem(registry.url.replace("http://", "https://"))
    assert "does it speak plain HTTP there? Then write http:// in MLFLOW_TRACKING_URI" in told
    assert "certificate" not in told
    with tls_server(authority) as url:
        told = problem(url.replace("https://", "http://"))
    assert "does not answer" in told


def test_a_proxy_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NO_PROXY, an address within the house goes by way of it."""
    proxy = f"http://me:hidden@127.0.0.1:{free_port()}"
    monkeypatch.setenv("HTTP_PROXY", proxy)
    told = problem("http://mlflow.internal:5000")
    shown = proxy.replace("me:hidden@", "")
    assert f"by way of HTTP_PROXY={shown}; NO_PROXY=mlflow.internal goes without" in told
    assert "hidden" not in told
    monkeypatch.setenv("NO_PROXY", "mlflow.internal")
    assert "proxy" not in problem("http://mlflow.internal:5000").lower()


def test_a_proxy_that_refuses_is_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it answers is not the registry's word."""
    monkeypatch.setenv("http_proxy", registry.url)
    registry.instead = lambda handler: send(handler, 503, {"message": "no such host"})
    told = problem("http://mlflow.internal:5000")
    assert f"'no such host' (by way of HTTP_PROXY={registry.url}; NO_PROXY=" in told
