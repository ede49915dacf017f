"""Offer 25 % off, by e-mail, to the customers whom the churn model expects to leave.

    python examples/promote.py examples/customers.csv --dry-run
    python examples/promote.py examples/customers.csv --smtp 127.0.0.1:1025

Or the customers come scored, from one CSV that `python -m batch` wrote, and no service is asked:

    python -m batch churn examples/customers.csv --fold-names --output scored.csv
    python examples/promote.py scored.csv --scored --dry-run

What happens to a customer, from left to right:

    CSV -> read_customers -> ask (batches, HTTP) -> Campaign.offer -> Mailer.send (SMTP)
                             or --scored: read_scored
                                                    claim before, mark after: Ledger (sqlite3)

Nobody is written to twice, whenever this is killed and however many copies run, as long as they
share one ledger. SMTP cannot promise "exactly once": killed between handing a message over and
hearing that it was taken, nobody here can know. Sending again would bring some customers the same
offer twice, so we choose "at most once" and leave those few to a person: look for the Message-ID
in the mail server's log, then, while no copy runs, tell the ledger what you found, either

    UPDATE promotion SET sent_at = 'seen in the log' WHERE customer = '...';
    DELETE FROM promotion WHERE customer = '...';     -- it never left: a later run sends it
"""

import argparse
import csv
import fcntl
import hashlib
import json
import os
import re
import smtplib
import sqlite3
import ssl
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import IO, Any

import requests

CAMPAIGN = "discount-25"  # the next campaign takes another name here and another --ledger
INTEGERS = {"seniorcitizen", "tenure"}
CHARGES = {"monthlycharges", "totalcharges"}
FIELDS = (
    "gender", "seniorcitizen", "partner", "dependents", "tenure", "phoneservice", "multiplelines",
    "internetservice", "onlinesecurity", "onlinebackup", "deviceprotection", "techsupport",
    "streamingtv", "streamingmovies", "contract", "paperlessbilling", "paymentmethod",
    "monthlycharges", "totalcharges",
)  # fmt: skip
ATTEMPTS = 5  # how often a batch is asked while the service answers 503
LONGEST_PAUSE_S = 300
HTTP_TIMEOUT_S = 60
SMTP_TIMEOUT_S = 30
LEDGER_TIMEOUT_S = 30  # while a person or a backup looks at it
# ASCII words with dots between them, twice: such an address cannot end a header or a command.
ADDRESS = re.compile(
    r"(?=.{6,254}\Z)[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@[a-z\d-]+(\.[a-z\d-]+)+",
    re.ASCII | re.IGNORECASE,
)
BODY = """\
Dear {name},

Thank you for being with us. We would be sorry to see you go, and we would
like to make staying easier: we offer you a discount of 25 % on your monthly
charges.

If you would like to have it, please answer this e-mail with the word "yes"
and we will see to the rest. If you would rather not receive offers from us,
please answer "no more offers". A person reads every answer.

With kind regards,
Your customer care team
"""


class GiveUpError(Exception):
    """The run cannot go on; the text is the one line that a person needs."""


class RefusedError(Exception):
    """The message was certainly not accepted: a later run may try again."""


class UnknownFateError(Exception):
    """The message may have been accepted: nobody may try again."""


@dataclass(frozen=True)
class Customer:
    """A row of the CSV: whom to write to, and what the model is asked."""

    line: int  # where the row ends in the CSV
    id: str
    email: str
    name: str
    record: dict[str, str | int | float]  # the model's nineteen fields
    leaves: bool = False  # what a batch's answer says; else the service is asked


class Tally(Counter[str]):
    """How many were asked, sent and so on; `complaints` counts what needs a person."""

    def complain(self, text: str) -> None:
        """Print a problem and count it."""
        self["complaints"] += 1
        print(text, file=sys.stderr)

    def skip(self, line: int, why: str) -> None:
        """Leave a line of the CSV out, and say why."""
        self["skipped"] += 1
        self.complain(f"line {line}: skipped: {why}")


def read_customers(path: Path, tally: Tally, *, scored: bool = False) -> list[Customer]:
    """Every usable row. The file is read to its end first: a broken one sends nothing at all."""
    customers = []
    needed = ("customerid", "email", *(["churn"] if scored else FIELDS))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="")
            names = [name.strip() for name in rows.fieldnames or []]
            if scored:  # the published data's own `Churn`, of the past, is no answer
                names = [f"given {name}" if name == "Churn" else name for name in names]
            rows.fieldnames = header = [name.lower() for name in names]
            if wrong := [name for name in needed if header.count(name) != 1]:
                raise GiveUpError(f"{path} must have these columns once: {', '.join(wrong)}")
            for row in rows:
                if None in row:
                    tally.skip(rows.line_num, "it has more fields than the header")
                elif not (customer_id := row["customerid"].strip()):
                    tally.skip(rows.line_num, "it has no customer id")
                else:  # single spaces and printable characters: no name can break a line
                    name = "".join(filter(str.isprintable, " ".join(row.get("name", "").split())))
                    address, record = row["email"].strip(), {} if scored else to_record(row)
                    leaves = scored and says_churn(row["churn"], path, rows.line_num)
                    found = Customer(rows.line_num, customer_id, address, name, record, leaves)
                    customers.append(found)
    except (OSError, UnicodeError, csv.Error) as error:
        raise GiveUpError(f"cannot read {path}: {error}") from error
    return customers


def says_churn(cell: str, path: Path, line: int) -> bool:
    """The answer in a cell of the column `churn`."""
    if (text := cell.strip().lower()) not in ("true", "false"):
        raise GiveUpError(f"{path}: line {line} does not say `churn`, true or false, but {cell!r}")
    return text == "true"


def read_scored(path: Path, tally: Tally) -> list[Customer]:
    """The customers of a batch's output; rows that the batch refused are reported."""
    report = Path(f"{path}.run")
    if not (report / "_SUCCESS").is_file():
        made = f"python -m batch churn CUSTOMERS.csv --output {path}"
        raise GiveUpError(f"{path} is no finished batch's: {report}/_SUCCESS is missing; {made}")
    customers = read_customers(path, tally, scored=True)
    try:
        for file in sorted((report / "rejected").glob("*.jsonl")):
            for one in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
                reasons = [f"{error['field']}: {error['problem']}" for error in one["errors"]]
                tally.skip(one["row"], f"of {one['file']}, the batch says {'; '.join(reasons)}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GiveUpError(f"cannot read what {report} says of refused rows: {error}") from error
    tally.update(asked=len(customers), likely=sum(customer.leaves for customer in customers))
    return customers


def to_record(row: dict[str, str]) -> dict[str, str | int | float]:
    """The model's fields, numbers as numbers; any other text stays: the service says why not."""
    record: dict[str, str | int | float] = {}
    for name in FIELDS:
        text = row[name].strip()
        record[name] = text
        if name in INTEGERS and re.fullmatch(r"-?[0-9]{1,9}", text):
            record[name] = int(text)
        if name in CHARGES and re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]*)?", text):
            record[name] = float(text)
    if record["totalcharges"] == "" and record["tenure"] == 0:
        record["totalcharges"] = 0.0  # the published data leave it blank before the first bill
    return record


def ask(url: str, batch: list[Customer], tally: Tally) -> list[Customer]:
    """Those of the batch who are likely to churn; rows that the service refuses are reported."""
    while batch:
        response = post(url, [customer.record for customer in batch])
        try:
            body: dict[str, Any] = dict(response.json())
        except (TypeError, ValueError):
            body = {}  # a proxy's page, say
        refused: dict[int, list[str]] = {}
        if response.status_code == requests.codes.unprocessable:
            for error in body.get("errors", []):
                if place := re.fullmatch(r"\[(\d+)\]\.?(.*)", str(error.get("field"))):
                    reason = f"{place[2]}: {error.get('problem')}"
                    refused.setdefault(int(place[1]), []).append(reason)
        if refused and max(refused) < len(batch):  # at least one row fewer, so this ends
            for index, reasons in sorted(refused.items()):
                tally.skip(batch[index].line, f"the service says {'; '.join(reasons)}")
            batch = [customer for index, customer in enumerate(batch) if index not in refused]
            continue
        if response.status_code != requests.codes.ok:
            why = body.get("detail") or body.get("title") or response.reason
            raise GiveUpError(f"{url} answers {response.status_code}: {why}")
        churn = [one.get("churn") for one in body.get("predictions", [])]
        if len(churn) != len(batch) or not all(isinstance(one, bool) for one in churn):
            raise GiveUpError(f"{url} does not answer one `churn` for each customer")
        tally.update(asked=len(batch), likely=sum(churn))
        return [customer for customer, leaves in zip(batch, churn, strict=True) if leaves]
    return []


def post(url: str, records: list[dict[str, str | int | float]]) -> requests.Response:
    """The service's answer, after waiting as long as it asks to, a bounded number of times."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = requests.post(url, json=records, timeout=HTTP_TIMEOUT_S)
        except requests.RequestException as error:
            why = f"cannot ask the prediction service at {url} ({type(error).__name__})"
            raise GiveUpError(f"{why}: is it running? Start it with `make run`") from error
        if response.status_code != requests.codes.unavailable:
            return response
        header = response.headers.get("Retry-After", "")
        pause_s = int(header) if header.isdecimal() else 1
        if attempt == ATTEMPTS or pause_s > LONGEST_PAUSE_S:
            break
        time.sleep(pause_s)
    raise GiveUpError(f"{url} is not ready (it asks to wait {pause_s} s): start this again later")


class Ledger:
    """Who was, or may have been, written to: one row a customer, each statement a commit.

    A dry run works on a copy in memory, so it takes the same path and leaves the file alone.
    """

    def __init__(self, path: Path, *, dry_run: bool) -> None:
        if path.exists() or not dry_run:
            self.turn = take_turn(path)
        target = ":memory:" if dry_run else path
        self.db = sqlite3.connect(target, timeout=LEDGER_TIMEOUT_S, isolation_level=None)
        if dry_run and path.exists():
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as real:
                real.backup(self.db)
        # EXTRA is FULL and also syncs the folder when the journal goes, which is the moment of
        # the commit: after FULL alone, a power cut could bring the journal back and undo a claim.
        self.db.execute("PRAGMA synchronous = EXTRA")
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS promotion (customer TEXT NOT NULL PRIMARY KEY,"
            " email TEXT NOT NULL, begun_at TEXT NOT NULL, sent_at TEXT)"
        )

    def state(self, customer: Customer) -> str:
        """Return `free`, `claimed` or `sent`: how far the e-mail to a customer has come."""
        query = "SELECT iif(sent_at IS NULL, 'claimed', 'sent') FROM promotion WHERE customer = ?"
        row = self.db.execute(query, (customer.id,)).fetchone()
        return row[0] if row else "free"

    def claim(self, customer: Customer) -> None:
        """On disk when this returns; sqlite3.IntegrityError if there is a claim already."""
        insert = "INSERT INTO promotion VALUES (?, ?, datetime(), NULL)"
        self.db.execute(insert, (customer.id, customer.email))

    def release(self, customer: Customer) -> None:
        """Take a claim back whose message was certainly not accepted."""
        self.db.execute("DELETE FROM promotion WHERE customer = ?", (customer.id,))

    def mark_sent(self, customer: Customer) -> None:
        """Note that the e-mail to a customer was sent."""
        update = "UPDATE promotion SET sent_at = datetime() WHERE customer = ?"
        self.db.execute(update, (customer.id,))

    def uncertain(self) -> list[tuple[str, str]]:
        """Customer id and time (UTC) of each claim that was neither released nor marked as sent."""
        query = "SELECT customer, begun_at FROM promotion WHERE sent_at IS NULL"
        return self.db.execute(query).fetchall()


def take_turn(ledger: Path) -> IO[bytes]:
    """A lock until the process ends, however it ends: a claim of nobody alive is uncertain."""
    try:
        turn = Path(f"{ledger.resolve()}.lock").open("ab")  # noqa: SIM115, kept to the end
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another copy works with this ledger: waiting for it to end", file=sys.stderr)
            fcntl.flock(turn, fcntl.LOCK_EX)
    except OSError as error:
        raise GiveUpError(f"cannot use the ledger {ledger}: {error}") from error
    return turn


class Mailer:
    """One SMTP connection a batch, opened when it is needed and anew after each failure."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.server: smtplib.SMTP | None = None

    def connect(self) -> smtplib.SMTP:
        """The open connection; the password goes over an encrypted, verified one or not at all."""
        if self.server is None:
            host, port = self.options.smtp
            try:
                server = smtplib.SMTP(host, port, timeout=SMTP_TIMEOUT_S)
                if self.options.starttls:
                    server.starttls(context=ssl.create_default_context())
                    if user := os.environ.get("SMTP_USER"):
                        server.login(user, os.environ.get("SMTP_PASSWORD", ""))
                server.ehlo_or_helo_if_needed()
            except (OSError, UnicodeError) as error:
                why = f"cannot use the mail server {host}:{port}: {error}"
                raise GiveUpError(why) from error
            self.server = server
        return self.server

    def send(self, recipient: str, message: bytes) -> None:
        """Return when the server took the message; else RefusedError or UnknownFateError."""
        server, text_may_be_out = self.connect(), False
        try:
            code, reply = server.mail(self.options.sender)
            if code == 250:
                code, reply = server.rcpt(recipient)
            if code in (250, 251):
                text_may_be_out = True
                code, reply = server.data(message)
                if 200 <= code <= 299:
                    return
                text_may_be_out = not 400 <= code <= 599
            why = f"{code} {reply.decode(errors='replace')}"
        except smtplib.SMTPDataError as error:  # it refused the command DATA, before any text
            text_may_be_out, why = False, str(error)
        except OSError as error:
            why = str(error)
        self.server = None
        server.close()
        raise (UnknownFateError if text_may_be_out else RefusedError)(why)

    def quit(self) -> None:
        """Hang up politely; no mail server likes to be kept waiting while a batch is asked."""
        if self.server:
            with suppress(OSError):
                self.server.quit()
        self.server = None


class Campaign:
    """Brings each likely churner to one end: sent, sent earlier, skipped, refused or uncertain."""

    def __init__(self, options: argparse.Namespace, ledger: Ledger, tally: Tally) -> None:
        self.options, self.ledger, self.tally = options, ledger, tally
        self.mailer = Mailer(options)
        self.mine: set[str] = set()  # ids claimed by this run

    def offer(self, customer: Customer) -> None:
        """Send the offer unless this customer has got it or may have got it."""
        state = self.ledger.state(customer)
        if customer.id in self.mine:
            self.tally["skipped"] += 1  # needs nobody: one e-mail a customer is what we want
            print(f"line {customer.line}: skipped: {customer.id!r} was in an earlier line")
        elif state == "sent":
            self.tally["earlier"] += 1
        elif state == "claimed":
            pass  # by a run that was killed; reported at the end
        elif not ADDRESS.fullmatch(customer.email):
            self.tally.skip(customer.line, f"{customer.email!r} is no e-mail address we can use")
        else:
            self.send(customer)

    def send(self, customer: Customer) -> None:
        """Claim, hand the message over, then mark, release or leave the claim."""
        message = write_message(customer, self.options.sender)
        if not self.options.dry_run:
            self.mailer.connect()  # first: a mail server that is away must claim nobody
        self.ledger.claim(customer)
        self.mine.add(customer.id)
        try:
            if self.options.dry_run:
                print(f"would be sent to {customer.id!r} <{customer.email}>")
            else:
                self.mailer.send(customer.email, message.as_bytes())
        except RefusedError as error:
            self.ledger.release(customer)
            self.mine.remove(customer.id)
            self.tally["refused"] += 1
            self.tally.complain(f"line {customer.line}: not sent, a later run tries again: {error}")
        except UnknownFateError as error:
            self.tally.complain(f"line {customer.line}: sent or not? {error}")
        else:
            self.ledger.mark_sent(customer)
            self.tally["sent"] += 1

    def report_uncertain(self) -> None:
        """Name the customers whose e-mail may have been sent by a run that was killed."""
        for customer_id, begun_at in self.ledger.uncertain():
            self.tally["uncertain"] += 1
            where = f"begun {begun_at} UTC, {message_id(customer_id, self.options.sender)}"
            self.tally.complain(f"uncertain: check by hand: {customer_id!r}, {where}")


def message_id(customer_id: str, sender: str) -> str:
    """Always the same for one customer, so that mail servers can drop a second copy too."""
    digest = hashlib.sha256(f"{CAMPAIGN} {customer_id}".encode()).hexdigest()[:24]
    return f"<{CAMPAIGN}.{digest}@{sender.rpartition('@')[2]}>"


def write_message(customer: Customer, sender: str) -> EmailMessage:
    """The offer; headers are set through EmailMessage, which refuses line breaks in them."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # any mail server takes 7 bits
    message["From"] = sender
    message["To"] = Address(customer.name, addr_spec=customer.email)
    message["Subject"] = "25 % off your monthly charges"
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = message_id(customer.id, sender)
    message.set_content(BODY.format(name=customer.name or "customer"))
    return message


def host_and_port(text: str) -> tuple[str, int]:
    """Return the two parts of HOST:PORT; raise ArgumentTypeError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    what, examples, scored, how, *_ = (__doc__ or "").split("\n\n")
    line = argparse.ArgumentParser(
        prog="python examples/promote.py",
        description=f"{what}\n\n{scored[:-1]} (--scored).",
        epilog=f"examples:\n{examples}\n{how.splitlines()[-1]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    add("customers", type=Path, help="CSV: customerID, email, the Telco columns and perhaps name")
    add("--scored", action="store_true", help="the CSV is `python -m batch churn`'s: ask nobody")
    add("--url", default="http://127.0.0.1:9696/predict/churn", help="the model's address")
    add("--batch-size", type=int, default=100, help="customers in one request")
    add("--ledger", type=Path, default=Path("promotions.sqlite3"), help="keep it: who got one")
    add(
        "--smtp", type=host_and_port, default="127.0.0.1:1025", metavar="HOST:PORT",
        help="the mail server (default: %(default)s)",
    )  # fmt: skip
    add("--sender", default="offers@example.com", help="the address that the offers are from")
    add("--starttls", action="store_true", help="encrypt; log in with SMTP_USER, SMTP_PASSWORD")
    add("--dry-run", action="store_true", help="send nothing, print who would get one")
    return line


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    line = parser()
    options = line.parse_args()
    if options.batch_size < 1:
        line.error("--batch-size must be 1 or more")
    if not ADDRESS.fullmatch(options.sender):
        line.error("--sender must be a plain e-mail address")
    return options


def main() -> int:
    """0 if everything was done, 1 if something needs a person."""
    options, tally = parse_options(), Tally()
    try:
        campaign = Campaign(options, Ledger(options.ledger, dry_run=options.dry_run), tally)
        try:
            read = read_scored if options.scored else read_customers
            customers = read(options.customers, tally)
            for start in range(0, len(customers), options.batch_size):
                batch = customers[start : start + options.batch_size]
                likely = [customer for customer in batch if customer.leaves]
                for customer in likely if options.scored else ask(options.url, batch, tally):
                    campaign.offer(customer)
                campaign.mailer.quit()
        finally:
            campaign.report_uncertain()
    except GiveUpError as error:
        tally.complain(str(error))
    except sqlite3.Error as error:
        tally.complain(f"cannot use the ledger {options.ledger}: {error}")
    except KeyboardInterrupt:
        tally.complain("stopped; start this again to go on")
    for key, label in {
        "asked": "scored" if options.scored else "asked",
        "likely": "likely to churn",
        "sent": "would be sent" if options.dry_run else "sent",
        "earlier": "already sent earlier",
        "skipped": "skipped",
        "refused": "refused for now",
        "uncertain": "uncertain",
    }.items():
        print(f"{label:<21}{tally[key]:>7}")
    return 1 if tally["complaints"] else 0


if __name__ == "__main__":
    sys.exit(main())
