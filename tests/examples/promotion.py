"""What tests of examples/promote.py share: customers, a prediction service and a mail server."""

import asyncio
import email
import email.policy
import json
import re
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TIMEOUT_S = 20
PROFILE = {
    "gender": "Female",
    "SeniorCitizen": "0",
    "Partner": "No",
    "Dependents": "No",
    "tenure": "2",
    "PhoneService": "Yes",
    "MultipleLines": "No",
    "InternetService": "Fiber optic",
    "OnlineSecurity": "No",
    "OnlineBackup": "No",
    "DeviceProtection": "No",
    "TechSupport": "No",
    "StreamingTV": "Yes",
    "StreamingMovies": "Yes",
    "Contract": "Month-to-month",
    "PaperlessBilling": "Yes",
    "PaymentMethod": "Electronic check",
    "MonthlyCharges": "90.5",
    "TotalCharges": "181",
}
ANA, BEN, CAT = "ana@example.com", "ben@example.com", "cat@example.org"


def leaver(customer_id: str, address: str, **other: str) -> dict[str, str]:
    """A row that the test's service calls likely to churn."""
    return {"customerID": customer_id, **PROFILE, "email": address, **other}


THREE = [leaver("A-1", ANA), leaver("B-2", BEN), leaver("C-3", CAT)]


class Service(ThreadingHTTPServer):
    """The contract's POST /predict/churn: month-to-month in the first year is likely to churn."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ServiceHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/predict/churn"
        self.asked: list[list[dict[str, Any]]] = []
        self.asked_at: list[float] = []
        self.script: deque[tuple[int, dict[str, str], bytes]] = deque()  # answers to give first

    def answer(self, records: list[dict[str, Any]]) -> tuple[int, dict[str, str], bytes]:
        if self.script:
            return self.script.popleft()
        kinds = {
            "seniorcitizen": int,
            "tenure": int,
            "monthlycharges": float,
            "totalcharges": float,
        }
        wrong = [
            {"field": f"[{index}].{field.lower()}", "problem": "is not what was expected"}
            for index, record in enumerate(records)
            for field in PROFILE
            if type(record.get(field.lower())) is not kinds.get(field.lower(), str)
        ]
        if wrong:
            problem = {"title": "Unprocessable Content", "status": 422, "errors": wrong}
            kind = {"Content-Type": "application/problem+json"}
            return 422, kind, json.dumps(problem).encode()
        leaves = [r["contract"] == "Month-to-month" and r["tenure"] < 12 for r in records]
        predictions = [{"churn_probability": 0.9 if one else 0.1, "churn": one} for one in leaves]
        body = {"predictions": predictions, "model_version": "1"}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


class ServiceHandler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        records = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/predict/churn"
        self.server.asked.append(records)
        self.server.asked_at.append(time.monotonic())
        status, headers, content = self.server.answer(records)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Mailbox(Controller):
    """A mail server on a free port that keeps what it is given, refuses and stalls as told."""

    def __init__(self, **options: Any) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.received: list[tuple[str, EmailMessage]] = []  # each recipient with the message
        self.refuse: dict[tuple[str, str], str] = {}  # (stage, recipient) -> reply
        self.stall = ("", "")  # the stage and recipient at which to wait for `go_on`
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self.hang_up = False  # drop the connection instead of answering a message
        super().__init__(self, "127.0.0.1", self.socket.getsockname()[1], **options)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self.socket)

    async def pass_gate(self, stage: str, recipient: str) -> str | None:
        if self.stall == (stage, recipient):
            self.stalled.set()
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
        return self.refuse.get((stage, recipient))

    async def handle_MAIL(  # noqa: N802, the name is aiosmtpd's, like the next two
        self, _: SMTP, __: Session, envelope: Envelope, sender: str, ___: list[str]
    ) -> str:
        reply = await self.pass_gate("MAIL", "")
        envelope.mail_from = None if reply else sender
        return reply or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, recipient: str, ___: list[str]
    ) -> str:
        if reply := await self.pass_gate("RCPT", recipient):
            return reply
        envelope.rcpt_tos.append(recipient)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope
    ) -> str:
        [recipient] = envelope.rcpt_tos
        if reply := self.refuse.get(("DATA", recipient)):
            return reply
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append((recipient, message))
        await self.pass_gate("DATA", recipient)
        if self.hang_up:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"

    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.received]


class Result:
    """What one run left: exit status, both outputs, and the numbers of its summary."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        self.counts = {m[1]: int(m[2]) for m in re.finditer(r"^([a-z ]+?) +(\d+)$", out, re.M)}


Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., Result]


def finish(process: subprocess.Popen[str]) -> Result:
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert "Traceback" not in err
    return Result(process.returncode, out, err)
