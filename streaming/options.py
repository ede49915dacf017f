"""What a worker is asked to do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scoring.errors import InvalidQuery
from scoring.intervals import level_of
from scoring.process.usage import described
from streaming.addresses import Address
from streaming.errors import UsageError

Guarantee = Literal["at-least-once", "exactly-once"]
Start = Literal["earliest", "latest"]

_DESCRIPTION = """\
Score a stream of events with a model, as the service answers: docs/streaming.md. An address is
kafka://HOST:9092/TOPIC, redis://HOST:6379/STREAM or kinesis://STREAM. MODEL is ride, churn or
another that is known here, an artifact's folder, models:/NAME@ALIAS or models:/NAME/3.
Exit status: 0 stopped by a signal, 1 failed, 2 wrong usage.
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments, checked one by one."""

    model: str
    source: Address
    sink: Address
    dead_letters: Address | None = None
    group: str = "prediction-service"
    record: str | None = None
    id: str | None = None
    time: str | None = None
    start: Start = "earliest"
    batch: int = 2000
    guarantee: Guarantee = "at-least-once"
    interval: float | None = None  # the share of truths that it shall hold


def parse(words: Sequence[str] | None) -> Options:
    """Return the options; a wrong one ends the process with status 2, as argparse does. Raises
    UsageError for those that do not fit together."""
    given = _parser().parse_args(words)
    source, sink = Address.parse(given.source), Address.parse(given.sink)
    dead = Address.parse(given.dead_letters) if given.dead_letters else None
    if str(sink) == str(source) or (dead and str(dead) in (str(source), str(sink))):
        raise UsageError("source, sink and dead letters are to be three streams")
    if given.guarantee == "exactly-once":
        _check_transactions(source, sink, dead)
        if dead:
            _check_one_producer(sink, dead)
    return Options(
        model=given.model,
        source=source,
        sink=sink,
        dead_letters=dead,
        group=given.group,
        record=given.record,
        id=given.id,
        time=given.time,
        start=given.start,
        batch=given.batch,
        guarantee=given.guarantee,
        interval=given.interval,
    )


def _check_transactions(source: Address, *others: Address | None) -> None:
    for address in others:
        if (address and address.hosts != source.hosts) or source.scheme != "kafka":
            raise UsageError(
                "--guarantee exactly-once needs source, sink and dead letters in one Kafka, with "
                f"the same hosts: {source} and {address} are not"
            )


def _check_one_producer(sink: Address, dead: Address) -> None:
    """Raise UsageError where dead letters are to be sent in another way than predictions."""
    other = [name for name, value in dead.options.items() if sink.options.get(name) != value]
    if dead.login not in (None, sink.login):
        other.append("login")
    if other:
        raise UsageError(
            f"--dead-letters {dead}: with exactly-once one producer sends predictions and dead "
            f"letters, with the options of --sink: give {', '.join(other)} there"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streaming",
        **described(
            _DESCRIPTION,
            "python -m streaming ride --source kafka://localhost:9092/rides --sink "
            "kafka://localhost:9092/predictions",
            "python -m streaming ride --source redis://localhost:6379/rides --sink "
            "redis://localhost:6379/predictions --group scorer",
        ),
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="what predicts")
    add("--source", required=True, metavar="URL", help="where events come from")
    add("--sink", required=True, metavar="URL", help="where predictions go")
    add("--dead-letters", metavar="URL", help="where events without a prediction go (default: "
        "their problems are logged and counted)")  # fmt: skip
    add("--group", default="prediction-service", metavar="NAME",
        help="workers of one group share the events (default: prediction-service)")  # fmt: skip
    add("--guarantee", choices=("at-least-once", "exactly-once"), default="at-least-once",
        help="exactly-once: by transactions, where all three are topics of one Kafka")  # fmt: skip
    add("--start", choices=("earliest", "latest"), default="earliest",
        help="where a new group begins (default: with the oldest event)")  # fmt: skip
    add("--batch", type=_positive, default=2000, metavar="N",
        help="score at most so many events at a time (default: 2000)")  # fmt: skip
    add("--interval", type=_level, metavar="SHARE", help="add the two numbers between which this "
        "share of the truths lies: 0.9, say")  # fmt: skip
    events = parser.add_argument_group("events (default: the record itself, or a CloudEvent)")
    add = events.add_argument
    add("--record", metavar="PATH", help="where the record is in an event: data.ride")
    add("--id", metavar="PATH", help="where the event's id is: ride_id")
    add("--time", metavar="PATH", help="where its time is (default: when the broker took it)")
    return parser


def _level(text: str) -> float:
    try:
        return level_of(text)
    except InvalidQuery as error:
        raise argparse.ArgumentTypeError(f"{error.errors[0].problem}, got {text!r}") from error


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 10000")
    return number
