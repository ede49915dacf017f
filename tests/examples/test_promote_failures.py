"""examples/promote.py where its servers fail: nobody is lost, and one line says what happened."""

import json
from collections import Counter

import pytest

from tests.examples.promotion import ANA, BEN, CAT, THREE, Mailbox, Run, Service, leaver

pytestmark = pytest.mark.slow  # starts servers and processes


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
