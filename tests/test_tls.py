"""A real gunicorn that speaks TLS by gunicorn's own options, or does not start."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import ssl
from pathlib import Path
from typing import Any

import pytest
import requests

from scoring.models import discover
from tests.certificates import write_certificate, write_pki
from tests.support import Launch, Server, run_to_end, serving, wait_for

pytestmark = pytest.mark.slow

EXAMPLE = dict(next(iter(discover().values())).example)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an authority's certificate, and a server's and a client's signed by it."""
    return write_pki(tmp_path_factory.mktemp("pki"))


def context(pki: Path, client: str | None = None) -> ssl.SSLContext:
    """Return a client's TLS context, with the certificate of `client` where one is named."""
    made = ssl.create_default_context(cafile=pki / "authority.pem")
    if client:
        made.load_cert_chain(pki / f"{client}.pem", pki / f"{client}.key")
    return made


def ask(server: Server, tls: ssl.SSLContext) -> tuple[int, Any]:
    """Return what a record is answered with, twice on one connection."""
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=tls, timeout=30)
    try:
        answers = []
        for value in (EXAMPLE, EXAMPLE):  # the second on the kept connection
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/predict", json.dumps(value), headers)
            response = connection.getresponse()
            answers.append((response.status, json.loads(response.read())))
    finally:
        connection.close()
    assert answers[0] == answers[1]
    return answers[0]


def test_tls_is_gunicorns(models_dir: Path, tmp_path: Path, pki: Path) -> None:
    """--certfile and --keyfile, in GUNICORN_CMD_ARGS for a container; plain HTTP gets nothing."""
    arguments = f"--certfile {pki}/server.pem --keyfile {pki}/server.key"
    more = {"WORKERS": "1", "GUNICORN_CMD_ARGS": arguments}
    tls = Launch(verify=pki / "authority.pem")
    with serving(models_dir, tmp_path / "log", tls, **more) as server:
        status, answer = ask(server, context(pki))
        assert (status, "duration" in answer) == (200, True)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{server.port}/ping", timeout=30)
        with pytest.raises(ssl.SSLError):
            ask(server, ssl.create_default_context())
        assert "Traceback" not in server.log.read_text()


def test_mutual_tls_lets_in_whom_the_authority_signed(
    models_dir: Path, tmp_path: Path, pki: Path
) -> None:
    """--ca-certs and --cert-reqs 2: a certificate is asked for, and must be of this authority."""
    arguments = (
        f"--certfile {pki}/server.pem --keyfile {pki}/server.key "
        f"--ca-certs {pki}/authority.pem --cert-reqs 2"
    )
    more = {"WORKERS": "1", "GUNICORN_CMD_ARGS": arguments}
    both = (pki / "client.pem", pki / "client.key")
    tls = Launch(verify=pki / "authority.pem", certificate=both)
    with serving(models_dir, tmp_path / "log", tls, **more) as server:
        assert ask(server, context(pki, "client"))[0] == 200
        for nobody in (None, "stranger"):
            with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
                ask(server, context(pki, nobody))
        assert ask(server, context(pki, "client"))[0] == 200


@pytest.mark.parametrize("mutual", ["", "--ca-certs {pki}/authority.pem --cert-reqs 2"])
def test_a_key_of_another_certificate_stops_the_start(
    models_dir: Path, pki: Path, mutual: str
) -> None:
    """Rather than plain HTTP on the port for TLS; one line says why."""
    pair = f"--certfile {pki}/server.pem --keyfile {pki}/client.key "
    options = pair + mutual.format(pki=pki)
    found = run_to_end(GUNICORN_CMD_ARGS=options, MODELS_DIR=str(models_dir))
    assert found.returncode == 1
    [line] = found.stderr.splitlines()
    wanted = f"--keyfile {pki}/client.key: the key does not fit the certificate {pki}/server.pem"
    assert line == f"prediction-service cannot start: {wanted}"
    assert "Listening" not in found.stdout


def test_a_reload_with_files_that_do_not_fit_keeps_those_before(
    models_dir: Path, tmp_path: Path, pki: Path
) -> None:
    """SIGHUP: the log says why, /health/ready that it is so; files that fit end it."""
    for name in ("server.pem", "server.key"):
        shutil.copy(pki / name, tmp_path / name)
    arguments = f"--certfile {tmp_path}/server.pem --keyfile {tmp_path}/server.key"
    more = {"WORKERS": "1", "GUNICORN_CMD_ARGS": arguments}
    trusted = pki / "authority.pem"
    with serving(models_dir, tmp_path / "log", Launch(verify=trusted), **more) as server:
        url = f"https://127.0.0.1:{server.port}/health/ready"

        def health() -> Any:
            return requests.get(url, verify=str(trusted), timeout=30).json().get("tls")

        def said() -> Any:
            with contextlib.suppress(requests.ConnectionError):  # a worker ended in a handshake
                return health()
            return None

        assert health() is None
        shutil.copy(pki / "client.key", tmp_path / "server.key")
        server.process.send_signal(signal.SIGHUP)
        told = wait_for(said, "readiness to say so")
        assert "last reload" in told
        assert str(tmp_path) not in told
        assert "TLS stays as it was before this reload: --keyfile" in server.log.read_text()
        with pytest.raises(requests.ConnectionError):
            requests.get(url.replace("https", "http"), timeout=30)
        write_certificate(tmp_path, "server")  # signed by itself: the new one can be told
        server.process.send_signal(signal.SIGHUP)

        def is_new() -> bool:
            try:
                found = requests.get(url, verify=str(tmp_path / "server.pem"), timeout=30)
            except requests.exceptions.SSLError:
                return False
            return "tls" not in found.json()

        wait_for(is_new, "the new certificate")
