"""examples/promote.py sends no customer a second message, whatever ends it."""

import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples.promotion import (
    ANA,
    BEN,
    CAT,
    EXAMPLES,
    THREE,
    TIMEOUT_S,
    Mailbox,
    Run,
    Start,
    finish,
    leaver,
)

pytestmark = pytest.mark.slow  # starts servers and processes


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
