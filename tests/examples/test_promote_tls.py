"""examples/promote.py and a mail server that asks for TLS and a password."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.examples.promotion import ANA, BEN, CAT, THREE, TIMEOUT_S, Mailbox, Run
from tests.support import installed

pytestmark = pytest.mark.slow  # starts servers and processes


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of 127.0.0.1 that only those trust who are told to, and its key."""
    installed("openssl")
    certificate, key = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    return certificate, key


class Login:
    """Knows one password and keeps what was tried, with whether it came encrypted."""

    def __init__(self) -> None:
        self.tried: list[tuple[bytes, bytes, bool]] = []

    def __call__(
        self, _: SMTP, session: Session, __: Envelope, ___: str, data: LoginPassword
    ) -> AuthResult:
        self.tried.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == b"right", handled=False)


@pytest.fixture
def login() -> Login:
    return Login()


@pytest.fixture
def secure(
    request: pytest.FixtureRequest, certificate: tuple[str, str], login: Login
) -> Iterator[Mailbox]:
    """A mail server that insists on STARTTLS and, where the test says so, on a login."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    server = Mailbox(
        tls_context=context,
        require_starttls=True,
        auth_required=request.param,
        authenticator=login,
    )
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("secure", [True], ids=["login required"], indirect=True)
def test_the_password_goes_over_tls_and_from_the_environment(
    run: Run,
    secure: Mailbox,
    login: Login,
    certificate: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """--starttls logs in with SMTP_USER and SMTP_PASSWORD, and a wrong one is one clear line."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    monkeypatch.setenv("SMTP_USER", "marketing")
    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    wrong = run(THREE, "--smtp", secure.address, "--starttls")
    monkeypatch.setenv("SMTP_PASSWORD", "right")
    right = run(THREE, "--smtp", secure.address, "--starttls")

    assert (wrong.status, right.status) == (1, 0)
    assert len(wrong.err.splitlines()) == 1
    assert "cannot use the mail server" in wrong.err
    assert wrong.counts["sent"] == 0
    assert set(login.tried) == {(b"marketing", b"wrong", True), (b"marketing", b"right", True)}
    assert secure.recipients() == [ANA, BEN, CAT]


@pytest.mark.parametrize("secure", [False], ids=["no login"], indirect=True)
def test_a_mail_server_must_prove_who_it_is(
    run: Run, secure: Mailbox, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--starttls sends nothing to a certificate that is not trusted, and needs no user if it is."""
    monkeypatch.delenv("SMTP_USER", raising=False)
    untrusted = run(THREE, "--smtp", secure.address, "--starttls")
    before = secure.recipients()
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    trusted = run(THREE, "--smtp", secure.address, "--starttls")

    assert (untrusted.status, trusted.status) == (1, 0)
    assert "CERTIFICATE_VERIFY_FAILED" in untrusted.err
    assert before == []
    assert secure.recipients() == [ANA, BEN, CAT]
