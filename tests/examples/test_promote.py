"""examples/promote.py, run as a person runs it, against a real SMTP and a real HTTP server."""

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.examples.promotion import (
    ANA,
    BEN,
    CAT,
    EXAMPLES,
    PROFILE,
    THREE,
    Mailbox,
    Run,
    Service,
    leaver,
)

pytestmark = pytest.mark.slow  # starts servers and processes


def stayer(customer_id: str, address: str, **other: str) -> dict[str, str]:
    """A row that the test's service calls unlikely to churn."""
    return leaver(customer_id, address, Contract="Two year", **other)


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
