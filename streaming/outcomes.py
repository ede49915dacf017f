"""From a batch of events to what is sent: a prediction or a dead letter for each."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress
from typing import Any, Final

import orjson
from msgspec.structs import replace

from scoring.engine import answer_each
from scoring.errors import RequestError
from scoring.observers.observer import PredictionObserver
from scoring.predictor import Predictor
from streaming import letters
from streaming.envelope import Envelope, Opened
from streaming.interface import Event, Headers, Message
from streaming.letters import Problem
from streaming.tracing import EventTracing, continued

_LATEST_S: Final = 253_402_300_799  # the end of the year 9999
_OWN_HEADERS: Final = ("content-type", "content-length")  # of the event alone

_log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of a batch."""

    predictions: list[Message] = field(default_factory=list)
    letters: list[Message] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)  # of the events, as far as they have one


class Scoring:
    """Makes outcomes; `stream` is the source's name, which every id begins with."""

    def __init__(
        self,
        stream: str,
        envelope: Envelope,
        observer: PredictionObserver | None = None,
        tracing: EventTracing | None = None,
        interval: float | None = None,
    ) -> None:
        self._stream = stream
        self._envelope = envelope
        self._observer = observer
        self._tracing = tracing
        self._interval = interval

    def outcome(self, predictor: Predictor, events: Sequence[Event]) -> Outcome:
        """Return the outcome of `events`, all answered by one version of the model."""
        made = Outcome()
        began_ns = time.time_ns()
        ids = [f"{self._stream}/{event.partition}/{event.offset}" for event in events]
        opened: list[Opened | RequestError] = []
        open_one = self._envelope.open
        for event in events:
            try:
                opened.append(open_one(event))
            except RequestError as error:  # each event fails alone
                opened.append(error)
        answers = self._each(predictor, opened, ids)
        write = _Writer(predictor).prediction
        for event, name, one, answer in zip(events, ids, opened, answers, strict=True):
            if isinstance(one, Opened) and isinstance(answer, dict):
                if one.time is not None:
                    made.times.append(one.time)
                headers = _passed_on(event.headers) if event.headers else ()
                if self._tracing:
                    own = self._tracing.record(self._stream, name, event, began_ns, predictor)
                    headers = continued(headers, own)
                made.predictions.append(Message(write(name, one, answer), event.key, headers))
                continue
            if isinstance(one, RequestError):
                answer = one
            problem = answer
            if isinstance(answer, RequestError):
                problem = letters.of_request(answer, predictor.model.record.model_fields)
            self.add_letter(made, predictor, event, problem)
            if self._tracing:
                reason = problem.reason
                own = self._tracing.record(self._stream, name, event, began_ns, predictor, reason)
                made.letters[-1] = replace(made.letters[-1], headers=[own])
        return made

    def add_letter(
        self, made: Outcome, predictor: Predictor, event: Event, problem: Problem
    ) -> None:
        """Add the dead letter of `event` to an outcome."""
        made.letters.append(self.letter(predictor, event, problem))
        made.reasons[problem.reason] += 1

    def letter(self, predictor: Predictor, event: Event, problem: Problem) -> Message:
        """Return the dead letter of `event`."""
        name = f"{self._stream}/{event.partition}/{event.offset}"
        model = {"model": predictor.model.name, "model_version": predictor.version}
        return letters.letter(name, self._stream, event, problem, model, time.time())

    def _each(
        self, predictor: Predictor, opened: Sequence[Opened | RequestError], ids: list[str]
    ) -> Sequence[Any]:
        """Return an answer or a problem each; None for those that could not be opened."""
        records = [one.record for one in opened if isinstance(one, Opened)]
        if len(records) == len(opened):
            return self._answers(predictor, records, ids)
        good = [isinstance(one, Opened) for one in opened]
        found = iter(self._answers(predictor, records, list(compress(ids, good))))
        return [next(found) if well else None for well in good]

    def _answers(
        self, predictor: Predictor, records: list[Any], ids: list[str]
    ) -> Sequence[dict[str, Any] | RequestError | Problem]:
        """Return an answer each; where the batch fails by a fault of ours, one after the other, so
        that it is one event's fault alone."""
        try:
            return answer_each(
                predictor, records, ids=ids, interval=self._interval, observer=self._observer
            )
        except RequestError as error:  # of all of them: a version that gives no intervals
            return [error] * len(records)
        except Exception as error:  # noqa: BLE001  # whatever it is, the others are to be answered
            if len(records) != 1:
                return [
                    self._answers(predictor, [record], [name])[0]
                    for record, name in zip(records, ids, strict=True)
                ]
            _log.error("event %s failed: %s", ids[0], type(error).__name__, exc_info=error)
            return [letters.of_failure("failed", letters.FAILED)]


def _passed_on(headers: Headers) -> Headers:
    """Return the headers that a prediction takes over: not those that are about the event alone."""
    return [
        (name, value)
        for name, value in headers
        if (plain := name.lower()) not in _OWN_HEADERS and plain[:3] not in ("ce_", "ce-")
    ]


class _Writer:
    """Writes the predictions of one batch. What they have in common is encoded once: an answer
    alone takes a tenth of the time of a dictionary around it."""

    def __init__(self, predictor: Predictor) -> None:
        now, model = _moment(time.time()), orjson.dumps(predictor.model.name).decode()
        self._middle = f',"time":"{now}","model":{model},"answer":'
        self._end = b',"model_version":' + orjson.dumps(predictor.version) + b"}}"
        self._seconds: dict[int, str] = {}

    def prediction(self, name: str, opened: Opened, answer: dict[str, Any]) -> bytes:
        """Return the JSON text of the prediction whose id is `name`."""
        head = f'{{"id":{_quoted(name)}'
        if opened.id is not None:
            head += f',"event_id":{_quoted(opened.id)}'
        if opened.time is not None:
            head += f',"event_time":"{self._time(opened.time)}"'
        return (head + self._middle).encode() + orjson.dumps(answer)[:-1] + self._end

    def _time(self, seconds: float) -> str:
        if not 0 <= seconds < _LATEST_S:  # a clock can say anything
            return _moment(seconds)
        whole, thousandths = divmod(int(seconds * 1000 + 0.5), 1000)
        text = self._seconds.get(whole)
        if text is None:
            text = self._seconds[whole] = _moment(float(whole))[:19]
        return f"{text}.{thousandths:03}+00:00"


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):  # a clock can say anything
        return str(seconds)
