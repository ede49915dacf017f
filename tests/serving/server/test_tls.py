"""What gunicorn's TLS options ask for is had, or refused in a line that names the option."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gunicorn.config import Config

from serving.server import tls
from tests.certificates import write_certificate, write_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good certificates and their keys, and files that are neither."""
    folder = write_pki(tmp_path_factory.mktemp("pki"))
    write_certificate(folder, "old", days=-1)
    write_certificate(folder, "hidden", password="word")  # of a test's key
    other_kind = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "rsa.key").write_bytes(
        other_kind.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "junk.pem").write_text("junk")
    (folder / "empty.pem").write_text("")
    return folder


def configured(pki: Path, **options: Any) -> Config:
    """Return gunicorn's configuration with these options; a name of a file is one in `pki`."""
    cfg = Config()
    for name, value in options.items():
        is_file = isinstance(value, str) and value.endswith((".pem", ".key"))
        cfg.set(name, str(pki / value) if is_file else value)
    return cfg


PAIR = {"certfile": "server.pem", "keyfile": "server.key"}
MUTUAL = PAIR | {"ca_certs": "authority.pem", "cert_reqs": 2}


@pytest.mark.slow
@pytest.mark.parametrize("options", [PAIR, MUTUAL], ids=["server", "mutual"])
def test_what_fits_makes_a_context_without_a_warning(pki: Path, options: dict[str, Any]) -> None:
    """A certificate with its key, with or without an authority for clients."""
    made = tls.make(configured(pki, **options))
    assert made is not None
    assert made.warnings == ()
    assert made.context.verify_mode == options.get("cert_reqs", 0)


def test_without_any_tls_option_http_is_plain(pki: Path) -> None:
    """And nothing is read."""
    assert tls.make(configured(pki)) is None


@pytest.mark.parametrize(
    ("options", "option", "problem"),
    [
        (PAIR | {"keyfile": "client.key"}, "--keyfile", "does not fit the certificate"),
        (PAIR | {"keyfile": "rsa.key"}, "--keyfile", "does not fit the certificate"),
        (PAIR | {"keyfile": "junk.pem"}, "--keyfile", "no private key in PEM format"),
        (PAIR | {"keyfile": "none.key"}, "--keyfile", "No such file or directory"),
        (PAIR | {"keyfile": "/"}, "--keyfile", "Is a directory"),
        ({"certfile": "hidden.pem", "keyfile": "hidden.key"}, "--keyfile", "password"),
        ({"certfile": "server.pem"}, "--certfile", "with --keyfile"),
        (PAIR | {"certfile": "junk.pem"}, "--certfile", "no certificate in PEM format"),
        (PAIR | {"certfile": "empty.pem"}, "--certfile", "no certificate in PEM format"),
        (PAIR | {"certfile": "none.pem"}, "--certfile", "No such file or directory"),
        (MUTUAL | {"ca_certs": "junk.pem"}, "--ca-certs", "no certificate in PEM format"),
        (MUTUAL | {"ca_certs": "server.key"}, "--ca-certs", "no certificate in PEM format"),
        (MUTUAL | {"ca_certs": "none.pem"}, "--ca-certs", "No such file or directory"),
        (MUTUAL | {"ca_certs": None}, "--cert-reqs", "needs --ca-certs"),
        (MUTUAL | {"cert_reqs": 0}, "--ca-certs", "add --cert-reqs 2"),
        (MUTUAL | {"cert_reqs": 3}, "--cert-reqs", "must be 0, 1 or 2"),
        (PAIR | {"ciphers": "NONSENSE"}, "--ciphers", "No cipher can be selected"),
        (PAIR | {"ssl_version": "TLSv1_2"}, "--ssl-version", "ignored by gunicorn"),
        ({"keyfile": "server.key"}, "--keyfile", "without --certfile"),
        ({"ca_certs": "authority.pem"}, "--ca-certs", "without --certfile"),
        ({"cert_reqs": 2}, "--cert-reqs", "without --certfile"),
        ({"ciphers": "ECDHE+AESGCM"}, "--ciphers", "without --certfile"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("--") else "",
)  # fmt: skip
def test_what_cannot_be_had_is_named(
    pki: Path, options: dict[str, Any], option: str, problem: str
) -> None:
    """One line: the option, its file, and what is wrong."""
    with pytest.raises(tls.TlsError) as caught:
        tls.make(configured(pki, **options))
    line = str(caught.value)
    assert line.startswith(option)
    assert problem in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["TLS_CERT", "SSL_CERTFILE", "KEYFILE"])
def test_tls_by_another_servers_variable_is_no_plain_http(
    pki: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It stops the start and is named; beside --certfile it is what that was made of. OpenSSL's own
    variable is none of these."""
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/authorities.pem")
    assert tls.make(configured(pki)) is None
    monkeypatch.setenv(name, "/tls/hidden")
    with pytest.raises(tls.TlsError, match=f"^{name} set nothing.*GUNICORN_CMD_ARGS") as caught:
        tls.make(configured(pki))
    assert "hidden" not in str(caught.value)
    assert tls.make(configured(pki, **PAIR)) is not None


@contextmanager
def nobody() -> Iterator[None]:
    """Root may read every file: within the block it is somebody who may not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_key_that_may_not_be_read_is_named() -> None:
    """With the system's own words."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        write_certificate(Path(folder), "server")
        key = Path(folder, "server.key")
        key.chmod(0)
        cfg = configured(Path(folder), certfile="server.pem", keyfile="server.key")
        with nobody(), pytest.raises(tls.TlsError, match=f"--keyfile {key}: Permission denied"):
            tls.make(cfg)


def test_a_relative_path_is_told_whole(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from web-service/, which nobody guesses."""
    monkeypatch.chdir(pki)
    cfg = Config()
    cfg.set("certfile", "none.pem")
    with pytest.raises(tls.TlsError, match=f"--certfile none.pem .{pki}/none.pem.: No such file"):
        tls.make(cfg)


def test_what_clients_will_refuse_is_a_warning(pki: Path) -> None:
    """A certificate out of date still encrypts, and load balancers take it: the service starts."""
    options = {"certfile": "old.pem", "keyfile": "old.key", "ca_certs": "old.pem", "cert_reqs": 2}
    made = tls.make(configured(pki, **options))
    assert made is not None
    authority, own = made.warnings
    assert "--ca-certs is not valid after" in authority
    assert "certificate has expired" in own
