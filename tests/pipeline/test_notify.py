"""People are told by mail and webhook: once a state, signed, until it is taken."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from monitoring.notify import signature as as_monitoring_signs
from pipeline.errors import UsageError
from pipeline.notify import People, people_of
from pipeline.records import Record
from pipeline.shared.store import Store
from tests.support import free_port

SECRET = "sixteen letters or more"


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent; answers with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}/hook?token=of-the-address"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook's receiver on this machine."""
    server = Receiver()
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Mailbox:
    """Keeps the mails that a server takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append((list(envelope.rcpt_tos), envelope.original_content or b""))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    """A mail server without TLS, and its address."""
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, f"127.0.0.1:{controller.port}"
    controller.stop()


@pytest.fixture
def people(tmp_path: Path) -> Callable[..., People]:
    """Make those whom an environment names; tries follow each other at once."""

    def make(**environ: str) -> People:
        found = people_of(environ, Store(str(tmp_path / "pipeline.db")))
        return replace(found, pause=lambda _: None)

    return make


def record(state: str, said: str = "too old", run: str = "000001-x") -> Record:
    """Return how a run ended."""
    return {"model": "ride", "run": run, "state": state, "said": said}


@pytest.mark.slow
def test_a_webhook_is_told_each_state_once_and_signed(
    people: Callable[..., People], receiver: Receiver
) -> None:
    """The same failure again is no news; what went well is none but ends a state."""
    told = people(PIPELINE_WEBHOOK=receiver.url, PIPELINE_WEBHOOK_SECRET=SECRET)
    for state, run in (("failed", "1"), ("failed", "2"), ("killed", "3"), ("failed", "4"),
                       ("promoted", "5"), ("failed", "6"), ("waiting", "7"), ("refused", "8"),
                       ("rolled back", "9")):  # fmt: skip
        told.tell(record(state, run=run))
    bodies = [json.loads(body) for _, body in receiver.got]
    assert [(one["state"], one["run"]) for one in bodies] == [
        ("failed", "1"), ("failed", "6"), ("waiting", "7"), ("refused", "8"), ("rolled back", "9"),
    ]  # fmt: skip
    headers, body = receiver.got[0]
    delivery, sent = headers["X-Pipeline-Delivery-Id"], headers["X-Pipeline-Timestamp"]
    expected = as_monitoring_signs(SECRET, delivery, sent, body)
    assert headers["X-Pipeline-Signature"] == expected
    assert (bodies[0]["model"], bodies[0]["said"]) == ("ride", "too old")


@pytest.mark.slow
def test_what_is_not_taken_is_sent_again(
    people: Callable[..., People], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """By the next command as well, with the same id; the address is not shown, as it may hold a
    secret."""
    environ = {"PIPELINE_WEBHOOK": receiver.url, "PIPELINE_WEBHOOK_SECRET": SECRET}
    receiver.status = 500
    people(**environ).tell(record("refused"))
    assert len(receiver.got) == 3
    assert "the webhook was not taken (status 500); it is sent again later" in caplog.text
    receiver.status = 204
    people(**environ).deliver()
    people(**environ).deliver()
    assert len(receiver.got) == 4
    assert len({headers["X-Pipeline-Delivery-Id"] for headers, _ in receiver.got}) == 1
    away = f"http://127.0.0.1:{free_port()}/?token=of-the-address"
    people(PIPELINE_WEBHOOK=away, PIPELINE_WEBHOOK_SECRET=SECRET).tell(record("failed"))
    assert "not taken (ConnectionError)" in caplog.text
    assert "of-the-address" not in caplog.text


@pytest.mark.slow
def test_a_mail_says_what_happened_and_no_secret(
    people: Callable[..., People], mailbox: tuple[Mailbox, str]
) -> None:
    """To each address; passwords of the environment are left out of what a message repeats."""
    box, address = mailbox
    told = people(
        PIPELINE_MAIL="a@example.org, b@example.org", PIPELINE_SMTP=f"smtp://{address}",
        PIPELINE_MAIL_FROM="pipeline@example.org", MLFLOW_TRACKING_PASSWORD="of-mlflow",
    )  # fmt: skip
    told.tell(record("waiting", "linear waits: https://me:of-mlflow@host says so"))
    [(to, content)] = box.mails
    mail: Any = message_from_bytes(content)
    assert to == ["a@example.org", "b@example.org"]
    assert mail["Subject"] == "ride: waiting"
    text = mail.get_payload(decode=True) or base64.b64decode(mail.get_payload())
    assert b"linear waits: https://me:***@host says so" in text
    assert b"000001-x" in text


@pytest.mark.slow
def test_a_password_goes_to_no_server_without_tls(
    people: Callable[..., People], mailbox: tuple[Mailbox, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The mail stays until there is a server that can have it."""
    box, address = mailbox
    login = {"PIPELINE_MAIL": "a@example.org", "PIPELINE_SMTP": f"smtp://me:hidden@{address}"}
    people(**login).tell(record("failed"))
    assert box.mails == []
    assert "the mail was not taken (the server offers no TLS: no password is sent" in caplog.text
    assert "hidden" not in caplog.text
    people(PIPELINE_MAIL="a@example.org", PIPELINE_SMTP=f"smtp://{address}").deliver()
    assert len(box.mails) == 1
    away = {"PIPELINE_MAIL": "a@example.org", "PIPELINE_SMTP": f"smtps://127.0.0.1:{free_port()}"}
    people(**away).tell(record("refused"))
    assert "the mail was not taken (ConnectionRefusedError)" in caplog.text


@pytest.mark.slow
def test_a_server_that_refuses_is_told_by_its_number(
    people: Callable[..., People], caplog: pytest.LogCaptureFixture
) -> None:
    """Its words may repeat an address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def refuse() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"554 go away of-this-server\r\n")

        thread = Thread(target=refuse, daemon=True)
        thread.start()
        told = people(PIPELINE_MAIL="a@example.org", PIPELINE_SMTP=f"smtp://127.0.0.1:{port}")
        told.tell(record("failed"))
        thread.join(30)
    assert "the mail was not taken (the server answered 554)" in caplog.text


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        pytest.param({"PIPELINE_WEBHOOK": "ftp://x"}, "must begin with http:// or", id="address"),
        pytest.param({"PIPELINE_WEBHOOK": "http://x:99999"}, "its port is none", id="port"),
        pytest.param({"PIPELINE_WEBHOOK": "http://x"}, "needs PIPELINE_WEBHOOK_S", id="secret"),
        pytest.param({"PIPELINE_MAIL": "a@b"}, "PIPELINE_MAIL needs PIPELINE_SMTP", id="server"),
        pytest.param(
            {"PIPELINE_MAIL": "a@b", "PIPELINE_SMTP": "host"}, "PIPELINE_MAIL needs", id="no URL"
        ),
        pytest.param(
            {"PIPELINE_MAIL": "a@b", "PIPELINE_SMTP": "smtp://host:smtp"},
            "its port is none",
            id="port of the mail",
        ),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(
    people: Callable[..., People], environ: dict[str, str], why: str
) -> None:
    """Before anything runs."""
    with pytest.raises(UsageError, match=why):
        people(**environ)


def test_where_nobody_is_named_nobody_is_told(people: Callable[..., People]) -> None:
    """And nothing is kept for them."""
    nobody = people()
    nobody.tell(record("failed"))
    assert nobody.store.unsent() == []
