"""Tell people of what failed, was refused, waits for them, or was rolled back: by mail, by webhook.

What is to be told is kept in the store until it is taken, once for each state of a model; so a
command that dies, or a mail server that is away, loses nothing, and nobody hears the same twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests

from pipeline import records
from pipeline.errors import UsageError
from pipeline.records import Record
from pipeline.shared.store import Message, Store
from pipeline.triggers.hook import SHORTEST, signature
from scoring.process.addresses import trouble_of
from scoring.process.secret_values import of_environment

URL: Final = "PIPELINE_WEBHOOK"
SECRET: Final = "PIPELINE_WEBHOOK_SECRET"  # noqa: S105  # the variable's name
MAIL: Final = "PIPELINE_MAIL"
SMTP: Final = "PIPELINE_SMTP"
FROM: Final = "PIPELINE_MAIL_FROM"
_TOLD: Final = (records.FAILED, records.REFUSED, records.WAITING, records.ROLLED_BACK)
_TRIES: Final = 3
_TIMEOUT_S: Final = 10
_LONGEST: Final = 2000

_log = logging.getLogger(__name__)


class _Undelivered(Exception):
    """Nobody took it; the message says why, without an address, which may hold a secret."""


@dataclass(frozen=True)
class People:
    """Who is told, and how."""

    store: Store
    channels: Mapping[str, Callable[[Message], None]]
    secrets: frozenset[str] = frozenset()
    pause: Callable[[float], object] = time.sleep

    def tell(self, record: Record) -> None:
        """Tell of a run that ended, where there is something to tell."""
        self.say(record["model"], record["state"], record["said"], record["run"])

    def say(self, model: str, state: str, said: str, run: str | None = None) -> None:
        """Tell of a model's state, unless that is what was told last, and of what nobody took yet.
        Raises PipelineError where the store is away."""
        for secret in self.secrets:
            said = said.replace(secret, "***")
        told = {"state": state, "said": said[:_LONGEST]}
        if self.channels and state != records.KILLED and self.store.mark(model, "told") != told:
            if state in _TOLD:
                body = {"model": model, "run": run, **told}
                at = records.now()
                once = body if run else {**body, "day": at[:10]}
                delivery = hashlib.sha256(_bytes(once)).hexdigest()[:32]
                body["at"] = at
                for channel in self.channels:
                    self.store.add_message(model, channel, delivery, body)
            self.store.set_mark(model, "told", told)
        self.deliver()

    def deliver(self) -> None:
        """Send what nobody took yet; what is not taken now stays."""
        for message in self.store.unsent() if self.channels else []:
            if (send := self.channels.get(message.channel)) and self._sent(send, message):
                self.store.note_sent(message)

    def _sent(self, send: Callable[[Message], None], message: Message) -> bool:
        why = ""
        for tried in range(_TRIES):
            if tried:
                self.pause(2.0 ** (tried - 1))
            try:
                send(message)
            except _Undelivered as error:
                why = str(error)
            else:
                return True
        _log.error("the %s was not taken (%s); it is sent again later", message.channel, why)
        return False


def people_of(environ: Mapping[str, str], store: Store) -> People:
    """Return whom the environment names. Raises UsageError where it cannot be used."""
    channels: dict[str, Callable[[Message], None]] = {}
    if url := environ.get(URL):
        secret = environ.get(SECRET, "")
        if trouble := trouble_of(url):
            raise UsageError(f"{URL}: {trouble}")
        if len(secret) < SHORTEST:
            raise UsageError(f"{URL} needs {SECRET}, of {SHORTEST} characters or more")
        channels["webhook"] = lambda message: _post(url, secret, message)
    if to := environ.get(MAIL):
        if trouble := trouble_of(environ.get(SMTP, ""), ("smtp", "smtps")):
            example = "smtp://user:password@host:587"
            raise UsageError(f"{MAIL} needs {SMTP}, as {example} or smtps://: {trouble}")
        server = urlsplit(environ[SMTP])
        sender = environ.get(FROM) or f"pipeline@{socket.getfqdn()}"
        channels["mail"] = lambda message: _mail(server, sender, to, message)
    return People(store, channels, frozenset(of_environment(environ)))


def _bytes(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True).encode()


def _post(url: str, secret: str, message: Message) -> None:
    body, sent = _bytes(message.body), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-Pipeline-Delivery-Id": message.delivery,
        "X-Pipeline-Timestamp": sent,
        "X-Pipeline-Signature": signature(secret, message.delivery, sent, body),
    }
    try:
        answer = requests.post(
            url, data=body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
        )
    except requests.RequestException as error:
        raise _Undelivered(type(error).__name__) from None  # its text holds the address
    if not 200 <= answer.status_code < 300:
        raise _Undelivered(f"status {answer.status_code}")


def _mail(server: Any, sender: str, to: str, message: Message) -> None:
    told = message.body
    mail = EmailMessage()
    mail["Subject"] = f"{told['model']}: {told['state']}"
    mail["From"], mail["To"] = sender, to
    # the same for each try: a mailbox that gets it twice knows
    mail["Message-ID"] = f"<{message.delivery}@{sender.rpartition('@')[2]}>"
    run = f"run {told['run']}\n" if told["run"] else ""
    mail.set_content(f"{told['said']}\n\n{run}{told['at']}\n")
    encrypted = server.scheme == "smtps"
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(server.hostname, server.port or 465, timeout=_TIMEOUT_S,
                             context=context)
            if encrypted
            else smtplib.SMTP(server.hostname, server.port or 587, timeout=_TIMEOUT_S)
        ) as smtp:  # fmt: skip
            smtp.ehlo()
            if not encrypted and smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                encrypted = True
            if server.username:
                if not encrypted:
                    raise _Undelivered("the server offers no TLS: no password is sent to it")
                smtp.login(unquote(server.username), unquote(server.password or ""))
            smtp.send_message(mail)
    except smtplib.SMTPResponseException as error:
        raise _Undelivered(f"the server answered {error.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise _Undelivered(type(error).__name__) from None
