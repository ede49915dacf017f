"""AWS Lambda on a Kinesis stream, as the tutorial has it: the handler is
`streaming.aws_lambda.lambda_handler`, with ReportBatchItemFailures in the event source mapping.

    STREAM_MODEL=ride  STREAM_SINK=kinesis://predictions  STREAM_DEAD_LETTERS=kinesis://ride-dead
    STREAM_RECORD=ride STREAM_ID=ride_id STREAM_INTERVAL=0.9

Predictions and dead letters are those of the worker. What the sink does not take is reported, so
that Lambda brings these events again; a bad event blocks no shard.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from scoring.errors import InvalidQuery, SettingsError
from scoring.intervals import Interval, level_of
from streaming import brokers, letters
from streaming.addresses import Address
from streaming.delivery import shortened
from streaming.envelope import Envelope
from streaming.errors import BrokerUnavailable
from streaming.following import Followed, follow
from streaming.interface import Event, Sink
from streaming.outcomes import Scoring
from streaming.settings import StreamSettings

_FLUSH_S: Final = 10.0
_PATHS: Final = ("RECORD", "ID", "TIME")


class Handler:
    """What an instance of the function keeps between its calls."""

    def __init__(
        self,
        followed: Followed,
        envelope: Envelope,
        sink: Sink,
        dead: Sink,
        interval: float | None = None,
    ) -> None:
        self._followed = followed
        self._interval = interval
        self._envelope = envelope
        self._sink = sink
        self._dead = dead

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Handler:
        """Return the handler that the variables ask for; raises StartError or StreamError."""
        settings = StreamSettings.from_env(environ)
        needed = {name: environ.get(f"STREAM_{name}", "") for name in ("SINK", "DEAD_LETTERS")}
        for name, value in needed.items():
            if not value:
                raise SettingsError(f"STREAM_{name} is not set: kinesis://STREAM, say")
        sink, dead = (
            brokers.open_sink(Address.parse(value), settings=settings) for value in needed.values()
        )
        record, ident, time = (environ.get(f"STREAM_{key}") or None for key in _PATHS)
        followed = follow(environ.get("STREAM_MODEL") or "ride", settings)
        interval = None
        if level := environ.get("STREAM_INTERVAL"):
            try:
                interval = level_of(level)
                Interval(followed.current, interval)
            except InvalidQuery as error:
                raise SettingsError(f"STREAM_INTERVAL: {error.errors[0].problem}") from error
        return cls(followed, Envelope(record, ident, time), sink, dead, interval)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return which records are to come again: none, or all from the first."""
        records = batch["Records"]
        if not records:
            return {"batchItemFailures": []}
        stream = str(records[0].get("eventSourceARN", "")).rpartition("/")[2] or "kinesis"
        scoring = Scoring(stream, self._envelope, interval=self._interval)
        predictor = self._followed.current
        made = scoring.outcome(predictor, [_event(record) for record in records])
        try:
            self._sink.send(made.predictions)
            refused = self._sink.flush(_FLUSH_S)
            events = {f"{stream}/{e.partition}/{e.offset}": e for e in map(_event, records)}
            for one in refused:
                problem = letters.of_failure("refused", f"The sink refuses it: {one.reason}")
                name = letters.id_of(one.message)
                made.letters.append(scoring.letter(predictor, events[name], problem))
            self._dead.send(made.letters)
            if too_large := self._dead.flush(_FLUSH_S):
                self._dead.send([shortened(one) for one in too_large])
                for one in self._dead.flush(_FLUSH_S):
                    shortened(one)  # raises: nothing is thrown away unseen
        except BrokerUnavailable:
            first = records[0]["kinesis"]["sequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": first}]}
        return {"batchItemFailures": []}


def _event(record: Mapping[str, Any]) -> Event:
    about = record["kinesis"]
    shard = str(record.get("eventID", "")).partition(":")[0]
    try:
        value: bytes | None = base64.b64decode(about["data"], validate=True)
    except binascii.Error:
        value = str(about["data"]).encode()
    moment = about.get("approximateArrivalTimestamp")
    return Event(value, str(about["partitionKey"]).encode(), (), shard, about["sequenceNumber"],
                 float(moment) if moment else None)  # fmt: skip


@cache
def _handler() -> Handler:
    return Handler.from_environment(os.environ)


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Predict for the records of `event`; return those that are to come again."""
    return _handler()(event)
