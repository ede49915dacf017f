"""examples/promote.py with hostile or broken files and wrong options."""

import re
from pathlib import Path

import pytest

from tests.examples.promotion import ANA, BEN, CAT, THREE, Mailbox, Run, Service, leaver

pytestmark = pytest.mark.slow  # starts servers and processes


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
