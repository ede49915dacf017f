"""examples/promote.py, run as a person runs it, against a real SMTP and a real HTTP server."""

import asyncio
import csv
import email
import email.policy
import json
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

pytestmark = pytest.mark.slow  # starts servers and processes

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


def stayer(customer_id: str, address: str, **other: str) -> dict[str, str]:
    """A row that the test's service calls unlikely to churn."""
    return leaver(customer_id, address, Contract="Two year", **other)


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


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    server = Mailbox()
    server.start()
    yield server
    server.go_on.set()
    server.stop()


@pytest.fixture
def nobody() -> Iterator[str]:
    """HOST:PORT where connections are refused: bound, so that it stays so, and not listened on."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unheard.getsockname()[1]}"


class Result:
    """What one run left: exit status, both outputs, and the numbers of its summary."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        self.counts = {m[1]: int(m[2]) for m in re.finditer(r"^([a-z ]+?) +(\d+)$", out, re.M)}


Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., Result]


@pytest.fixture
def start(tmp_path: Path, service: Service, mailbox: Mailbox) -> Iterator[Start]:
    """Starts the client on rows or on a file; its ledger is always the same one in tmp_path."""
    started = []

    def start(customers: list[dict[str, str]] | Path, *options: str) -> subprocess.Popen[str]:
        if isinstance(customers, list):
            rows, customers = customers, tmp_path / "customers.csv"
            with customers.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list({name: 0 for row in rows for name in row}))
                writer.writeheader()
                writer.writerows(rows)
        command = [sys.executable, str(EXAMPLES / "promote.py"), str(customers)]
        command += ["--url", service.url, "--smtp", mailbox.address]
        command += ["--ledger", str(tmp_path / "ledger.sqlite3"), *options]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> Result:
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert "Traceback" not in err
    return Result(process.returncode, out, err)


@pytest.fixture
def run(start: Start) -> Run:
    """Runs the client to its end."""
    return lambda *arguments: finish(start(*arguments))


def test_only_those_likely_to_churn_are_written_to(run: Run, mailbox: Mailbox) -> None:
    """Who is likely to churn gets one e-mail, who is not gets none, and the summary counts both."""
    result = run([leaver("A-1", ANA), stayer("B-2", BEN), leaver("C-3", CAT)])

    assert mailbox.recipients() == [ANA, CAT]
    assert result.status == 0
    assert result.err == ""
    assert result.counts == {
        "asked": 3,
        "likely to churn": 2,
        "sent": 2,
        "already sent earlier": 0,
        "skipped": 0,
        "refused for now": 0,
        "uncertain": 0,
    }


def test_the_bundled_customers_are_a_working_example(run: Run, mailbox: Mailbox) -> None:
    """examples/customers.csv goes through without a complaint, some are written to, some not."""
    result = run(EXAMPLES / "customers.csv")

    assert result.status == 0
    assert result.err == ""
    assert result.counts["asked"] == 12
    assert mailbox.recipients() == [
        "amara.lindqvist@example.com",
        "bjorn@example.org",
        "dalia@example.org",
        "farah.quill@example.org",
        "holly.ashdown@example.com",
        "jolie.brightwater@example.org",
    ]


def test_the_message_offers_25_percent_politely(run: Run, mailbox: Mailbox) -> None:
    """The e-mail is dated plain text that greets the customer by name and offers 25 %."""
    run([leaver("A-1", ANA, name="Ana Čapek"), leaver("B-2", BEN)], "--sender", "us@example.net")

    (_, message), (_, nameless) = mailbox.received
    assert message.get_content_type() == "text/plain"
    assert message.get_content().startswith("Dear Ana Čapek,")
    assert "discount of 25 %" in message.get_content()
    assert nameless.get_content().startswith("Dear customer,")
    assert "25 %" in message["Subject"]
    assert message["From"] == "us@example.net"
    assert message["To"].addresses[0].addr_spec == ANA
    assert message["To"].addresses[0].display_name == "Ana Čapek"
    assert abs(parsedate_to_datetime(message["Date"]).timestamp() - time.time()) < 3600


def test_a_customer_has_one_message_id_for_ever(run: Run, mailbox: Mailbox, tmp_path: Path) -> None:
    """The Message-ID is the same whenever it is sent, and another customer has another."""
    run([leaver("A-1", ANA), leaver("B-2", BEN)])
    (tmp_path / "ledger.sqlite3").unlink()
    run([leaver("A-1", ANA)])

    first, other, again = (message["Message-ID"] for _, message in mailbox.received)
    assert first == again
    assert first != other
    assert re.fullmatch(r"<[^<>@\s]+@example\.com>", first)


@pytest.mark.parametrize("spelling", [str, str.lower], ids=["published", "lower-case"])
def test_the_service_gets_the_nineteen_fields_as_numbers_and_text(
    run: Run, service: Service, spelling: Callable[[str], str]
) -> None:
    """Both spellings give the contract's record, and neither id nor e-mail leaves the house."""
    row = leaver("A-1", ANA, tenure="0", TotalCharges=" ", Churn="No")
    result = run([{spelling(name): value for name, value in row.items()}])

    expected = {name.lower(): value for name, value in PROFILE.items()}
    numbers = {"seniorcitizen": 0, "tenure": 0, "monthlycharges": 90.5, "totalcharges": 0.0}
    assert service.asked == [[expected | numbers]]
    assert result.status == 0


def test_customers_are_asked_in_batches(run: Run, service: Service, mailbox: Mailbox) -> None:
    """--batch-size bounds the records of one request, and the last batch may be smaller."""
    result = run(THREE, "--batch-size", "2")

    assert [len(batch) for batch in service.asked] == [2, 1]
    assert mailbox.recipients() == [ANA, BEN, CAT]
    assert result.counts["asked"] == 3


def test_a_dry_run_sends_and_writes_nothing(run: Run, mailbox: Mailbox, tmp_path: Path) -> None:
    """--dry-run prints who would get one, without a mail server, a message or a ledger."""
    result = run([*THREE, leaver("A-1", ANA)], "--dry-run", "--smtp", "127.0.0.1:1")

    assert result.status == 0
    assert mailbox.received == []
    assert [path.name for path in tmp_path.iterdir()] == ["customers.csv"]
    assert re.findall(r"<(.*)>", result.out) == [ANA, BEN, CAT]
    assert result.counts["would be sent"] == 3


def test_a_dry_run_knows_the_ledger_and_leaves_it_alone(run: Run, tmp_path: Path) -> None:
    """--dry-run leaves out who got one earlier, and not a byte of the ledger changes."""
    run([leaver("A-1", ANA)])
    before = (tmp_path / "ledger.sqlite3").read_bytes()

    result = run(THREE, "--dry-run")

    assert re.findall(r"<(.*)>", result.out) == [BEN, CAT]
    assert result.counts["already sent earlier"] == 1
    assert (tmp_path / "ledger.sqlite3").read_bytes() == before


def test_a_second_run_sends_none(run: Run, mailbox: Mailbox) -> None:
    """Who got one in an earlier run gets none, and no mail server is needed to find that out."""
    run(THREE)
    result = run(THREE, "--smtp", "127.0.0.1:1")

    assert mailbox.recipients() == [ANA, BEN, CAT]
    assert result.status == 0
    assert result.counts["sent"] == 0
    assert result.counts["already sent earlier"] == 3


def test_an_id_that_comes_twice_gets_one(run: Run, mailbox: Mailbox) -> None:
    """The second row of a customer id is skipped, which needs no person."""
    result = run([leaver("A-1", ANA), leaver("A-1", BEN), leaver(" A-1 ", CAT)])

    assert mailbox.recipients() == [ANA]
    assert result.status == 0
    assert (result.counts["sent"], result.counts["skipped"]) == (1, 2)


@pytest.mark.parametrize(
    ("stage", "recipient", "in_hand", "received"),
    [
        ("MAIL", "", "A-1", [BEN, CAT]),
        ("RCPT", BEN, "B-2", [ANA, CAT]),
        ("DATA", BEN, "B-2", [ANA, BEN, CAT]),
    ],
    ids=["at the sender", "at the recipient", "after the text"],
)
def test_killed_in_the_middle_nobody_gets_two(
    start: Start,
    run: Run,
    mailbox: Mailbox,
    stage: str,
    recipient: str,
    in_hand: str,
    received: list[str],
) -> None:
    """After SIGKILL the others get theirs, and the one in hand is left to a person for good."""
    mailbox.stall = (stage, recipient)
    victim = start(THREE)
    assert mailbox.stalled.wait(TIMEOUT_S)
    victim.kill()
    victim.wait()
    mailbox.go_on.set()

    once, again = run(THREE), run(THREE)

    assert mailbox.recipients() == received
    assert once.counts["sent"] + once.counts["already sent earlier"] == 2
    assert again.counts["already sent earlier"] == 2
    for result in (once, again):
        assert result.status == 1
        assert result.counts["uncertain"] == 1
        assert re.findall(r"uncertain: check by hand: '(.*?)'", result.err) == [in_hand]


@pytest.mark.parametrize(
    ("statement", "got_it"),
    [
        ("UPDATE promotion SET sent_at = 'seen in the log' WHERE customer = 'A-1'", 1),
        ("DELETE FROM promotion WHERE customer = 'A-1'", 2),
    ],
    ids=["it had arrived", "it had not"],
)
def test_a_person_can_settle_an_uncertain_one(
    run: Run, mailbox: Mailbox, tmp_path: Path, statement: str, got_it: int
) -> None:
    """The statements in the script's own words end the uncertainty, either way."""
    assert statement.partition("'A-1'")[0] in (EXAMPLES / "promote.py").read_text("utf-8")
    mailbox.hang_up = True
    run([leaver("A-1", ANA)])
    mailbox.hang_up = False
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as ledger, ledger:
        ledger.execute(statement)

    result = run([leaver("A-1", ANA)])

    assert result.status == 0
    assert result.counts["uncertain"] == 0
    assert mailbox.recipients() == [ANA] * got_it


def test_a_lost_answer_is_uncertain_and_not_tried_again(run: Run, mailbox: Mailbox) -> None:
    """When the connection breaks after the text, it may have arrived: nobody sends it again."""
    mailbox.hang_up = True
    first = run([leaver("A-1", ANA)])
    mailbox.hang_up = False
    second = run(THREE)

    assert mailbox.recipients() == [ANA, BEN, CAT]
    for result in (first, second):
        assert result.status == 1
        assert result.counts["uncertain"] == 1
        assert mailbox.received[0][1]["Message-ID"] in result.err  # what to look for in the log


def test_a_second_copy_waits_for_its_turn(start: Start, mailbox: Mailbox) -> None:
    """Of two copies at once the second waits, finds all done, and everybody has one e-mail."""
    mailbox.stall = ("DATA", ANA)
    first = start(THREE)
    assert mailbox.stalled.wait(TIMEOUT_S)
    second = start(THREE)
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    mailbox.go_on.set()

    results = [finish(first), finish(second)]

    assert Counter(mailbox.recipients()) == {ANA: 1, BEN: 1, CAT: 1}
    assert [result.status for result in results] == [0, 0]
    assert [result.counts["sent"] for result in results] == [3, 0]
    assert results[1].counts["already sent earlier"] == 3


def test_two_copies_truly_side_by_side_send_no_second_one(
    start: Start, run: Run, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Even with the lock taken away, the ledger alone keeps two copies off each other's toes."""
    mailbox.stall = ("DATA", ANA)
    first = start(THREE)
    assert mailbox.stalled.wait(TIMEOUT_S)
    (tmp_path / "ledger.sqlite3.lock").unlink()

    beside = run(THREE)
    mailbox.go_on.set()
    result = finish(first)

    assert Counter(mailbox.recipients()) == {ANA: 1, BEN: 1, CAT: 1}
    assert (beside.counts["sent"], beside.counts["uncertain"]) == (2, 1)
    assert (result.counts["sent"], result.counts["already sent earlier"]) == (1, 2)


@pytest.mark.parametrize(
    ("stage", "recipient", "reply"),
    [
        ("MAIL", "", "421 shutting down"),
        ("RCPT", BEN, "550 no such user"),
        ("RCPT", BEN, "450 greylisted"),
        ("DATA", BEN, "554 looks like spam"),
        ("DATA", BEN, "452 disk full"),
    ],
    ids=["server going", "no mailbox", "greylisted", "text refused", "text refused for now"],
)
def test_a_refused_message_is_tried_by_a_later_run(
    run: Run, mailbox: Mailbox, stage: str, recipient: str, reply: str
) -> None:
    """A certain refusal is reported, stops nobody else, and the next run sends what it held up."""
    mailbox.refuse[stage, recipient] = reply
    first = run(THREE)
    accepted = mailbox.recipients()
    mailbox.refuse.clear()
    second = run(THREE)

    assert accepted == ([] if stage == "MAIL" else [ANA, CAT])
    assert first.status == 1
    assert reply in first.err
    assert first.counts["refused for now"] == 3 - len(accepted)
    assert first.counts["uncertain"] == 0
    assert second.status == 0
    assert Counter(mailbox.recipients()) == {ANA: 1, BEN: 1, CAT: 1}


def test_a_mail_server_that_is_away_loses_nobody(run: Run, mailbox: Mailbox, nobody: str) -> None:
    """Without a mail server there is one clear line, and the next run sends everything."""
    first = run(THREE, "--smtp", nobody)
    second = run(THREE)

    assert first.status == 1
    assert len(first.err.splitlines()) == 1
    assert f"mail server {nobody}" in first.err
    assert (first.counts["sent"], first.counts["uncertain"]) == (0, 0)
    assert second.status == 0
    assert mailbox.recipients() == [ANA, BEN, CAT]


def test_a_service_that_is_away_is_one_clear_line(run: Run, mailbox: Mailbox, nobody: str) -> None:
    """Without a prediction service nobody is written to and the line says how to start it."""
    result = run(THREE, "--url", f"http://{nobody}/predict/churn")

    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert nobody in result.err
    assert "make run" in result.err
    assert result.counts["asked"] == 0
    assert mailbox.received == []


def test_rows_that_the_service_refuses_are_reported_by_line(
    run: Run, service: Service, mailbox: Mailbox
) -> None:
    """A 422 names the line and the reason, and the others of that batch are asked again."""
    rows = [
        leaver("A-1", ANA),
        leaver("B-2", BEN, tenure="ten", MonthlyCharges="nan"),
        leaver("C-3", CAT),
        leaver("D-4", "dan@example.com", TotalCharges=" "),
    ]
    result = run(rows)

    assert result.status == 1
    third, fifth = result.err.splitlines()
    assert third.startswith("line 3: ")
    assert "tenure: is not what was expected" in third
    assert "monthlycharges: is not what was expected" in third
    assert fifth.startswith("line 5: ")
    assert "totalcharges" in fifth
    assert [len(batch) for batch in service.asked] == [4, 2]
    assert mailbox.recipients() == [ANA, CAT]
    assert (result.counts["asked"], result.counts["skipped"]) == (2, 2)


def test_a_busy_service_is_asked_again_when_it_says(
    run: Run, service: Service, mailbox: Mailbox
) -> None:
    """After a 503 the client waits as long as Retry-After says, and then goes on."""
    service.script.append((503, {"Retry-After": "1"}, b""))

    result = run(THREE)

    assert result.status == 0
    assert len(service.asked) == 2
    assert service.asked_at[1] - service.asked_at[0] >= 1
    assert mailbox.recipients() == [ANA, BEN, CAT]


@pytest.mark.parametrize(
    ("retry_after", "times"), [("0", 5), ("86400", 1)], ids=["no pause", "a day"]
)
def test_a_service_that_stays_busy_is_left_alone(
    run: Run, service: Service, mailbox: Mailbox, retry_after: str, times: int
) -> None:
    """The client gives up after five 503s, and at once when it would have to wait for a day."""
    service.script.extend([(503, {"Retry-After": retry_after}, b"")] * 9)

    result = run(THREE)

    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert len(service.asked) == times
    assert mailbox.received == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(200, {"predictions": [{"churn": True}]}, id="one prediction for three"),
        pytest.param(200, {"predictions": [{"duration": 9}] * 3}, id="another model's answer"),
        pytest.param(200, "PONG", id="not the contract's answer"),
        pytest.param(422, {"detail": "not a record"}, id="a refusal that names no row"),
        pytest.param(500, {"title": "Internal Server Error"}, id="a failure of the service"),
    ],
)
def test_an_answer_that_cannot_be_matched_sends_nothing(
    run: Run, service: Service, mailbox: Mailbox, status: int, answer: object
) -> None:
    """An answer that does not say `churn` for each customer in order is one line, not a guess."""
    service.script.append((status, {}, json.dumps(answer).encode()))

    result = run(THREE)

    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert mailbox.received == []


def test_bad_addresses_are_skipped_and_the_others_get_theirs(run: Run, mailbox: Mailbox) -> None:
    """A missing, broken or malicious e-mail is reported by its line and stops nobody else."""
    bad = [
        "",
        "nobody",
        "two words@example.com",
        "ben@example.com\nBcc: victim@example.com",
        "ben@example.com>\r\nRCPT TO:<victim@example.com",
        "ben@example.com, victim@example.com",
        "bén@example.com",
    ]
    rows = [leaver(f"B-{number}", address) for number, address in enumerate(bad)]

    result = run([leaver("A-1", ANA), *rows, leaver("C-3", CAT)])

    assert mailbox.recipients() == [ANA, CAT]
    assert result.status == 1
    assert result.counts["skipped"] == len(bad)
    reports = re.findall(
        r"^line \d+: skipped: (.*) is no e-mail address we can use$", result.err, re.M
    )
    assert reports == [repr(address) for address in bad]
    assert len(result.err.splitlines()) == len(bad)


def test_a_name_cannot_add_a_header_or_a_line(run: Run, mailbox: Mailbox) -> None:
    """Line breaks and control characters in a name become nothing but a name."""
    name = 'Eve\r\nBcc: victim@example.com\r\n\r\nPay here\u2028now\x00\x1b[2J, "Q" <x@example.org>'
    result = run([leaver("A-1", ANA, name=name), leaver("B-2", BEN, name="Ben")])

    (recipient, message), (_, plain) = mailbox.received
    assert result.status == 0
    assert recipient == ANA
    assert message.keys() == plain.keys()
    assert [one.addr_spec for one in message["To"].addresses] == [ANA]
    greeting, empty = message.get_content().splitlines()[:2]
    assert greeting == 'Dear Eve Bcc: victim@example.com Pay here now[2J, "Q" <x@example.org>,'
    assert empty == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("customerID,gender\n1,Male\n", "email, seniorcitizen", id="columns missing"),
        pytest.param("", "customerid, email", id="an empty file"),
        pytest.param(None, "No such file", id="no file"),
        pytest.param(b"\xff\xfe\x00", "cannot read", id="not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(
    run: Run, tmp_path: Path, service: Service, content: str | bytes | None, words: str
) -> None:
    """A wrong file is named with what is wrong before anybody is asked or written to."""
    path = tmp_path / "wrong.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    result = run(path)

    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert words in result.err
    assert service.asked == []


def test_rows_out_of_step_with_the_header_are_skipped(
    run: Run, mailbox: Mailbox, tmp_path: Path
) -> None:
    """A row with too many fields, or without a customer id, is reported and never guessed at."""
    rows = [
        leaver("A-1", ANA),
        leaver("B,2", BEN),
        leaver("", CAT),
        leaver("D-4", "dan@example.com"),
    ]
    lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
    (tmp_path / "rows.csv").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")

    result = run(tmp_path / "rows.csv")

    assert mailbox.recipients() == [ANA, "dan@example.com"]
    assert result.status == 1
    assert [line[:8] for line in result.err.splitlines()] == ["line 3: ", "line 4: "]


def test_a_ledger_that_is_none_stops_everything(run: Run, mailbox: Mailbox, tmp_path: Path) -> None:
    """Without a usable ledger nobody is written to: one clear line."""
    (tmp_path / "ledger.sqlite3").write_text("this is no database, it is a shopping list" * 30)

    result = run(THREE)

    assert result.status == 1
    assert len(result.err.splitlines()) == 1
    assert "cannot use the ledger" in result.err
    assert mailbox.received == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of 127.0.0.1 that only those trust who are told to, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
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


@pytest.mark.parametrize(
    "options",
    [("--batch-size", "0"), ("--smtp", "nowhere"), ("--sender", "us\n@example.com")],
    ids=["batch size", "mail server", "sender"],
)
def test_a_wrong_option_is_named(run: Run, options: tuple[str, str]) -> None:
    """An option that makes no sense is refused before anything happens, with its name."""
    result = run(THREE, *options)

    assert result.status == 2
    assert options[0] in result.err
