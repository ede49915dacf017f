"""The loop: poll, score, deliver; until a signal."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from streaming import letters
from streaming.delivery import FIRST_PAUSE_S, LONGEST_PAUSE_S, AtLeastOnce, Patience
from streaming.errors import BatchLost, BrokerUnavailable, GraceOver
from streaming.following import Followed
from streaming.health import Health
from streaming.interface import Delivery, Event, Message, Refused, Sink, Source
from streaming.journal import Journal
from streaming.meter import Meter
from streaming.outcomes import Outcome, Scoring
from streaming.stop import Stop

_POLL_S: Final = 0.5
_LAG_EVERY_S: Final = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a worker works with."""

    source: Source
    sink: Sink
    dead: Sink | None
    followed: Followed
    scoring: Scoring
    journal: Journal
    meter: Meter
    health: Health
    stop: Stop
    batch: int  # events of one poll at most


class Worker:
    """Works until it is told to stop."""

    def __init__(self, parts: Parts) -> None:
        """Batches are made final at least once, unless another `delivery` is set."""
        self._parts = parts
        self._patience = Patience(parts.health, parts.stop.grace_over)
        self.delivery: Delivery = AtLeastOnce(
            parts.source, parts.sink, parts.dead, self._patience, parts.meter, self.of_refused
        )
        self._lag_at = 0.0

    @property
    def patience(self) -> Patience:
        """What waits for brokers."""
        return self._patience

    def run(self) -> None:
        """Work until a stop is requested; what is at hand then is made final within the grace time,
        or left to come again."""
        stop = self._parts.stop
        try:
            while not stop.requested:
                for batch in self._batches(self._poll()):
                    self._work(batch)
                    if stop.requested:
                        break  # what is left was not committed: it comes again
        except GraceOver as error:
            _log.warning("stopped with a batch at hand, which comes again: %s", error)

    def _poll(self) -> list[Event]:
        source, health = self._parts.source, self._parts.health
        pause = FIRST_PAUSE_S
        while not self._parts.stop.requested:
            health.beat()
            try:
                events = source.poll(self._parts.batch, _POLL_S)
                self._look_at_lag()
            except BrokerUnavailable as error:
                self._patience.pause(
                    "source", error, pause, source.keep_alive, lambda: self._parts.stop.requested
                )
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            health.waits("source", source.waiting())
            pause = FIRST_PAUSE_S
            if events:
                self._parts.meter.polled(len(events))
                return events
        return []

    def _look_at_lag(self) -> None:
        now = time.monotonic()
        if now - self._lag_at >= _LAG_EVERY_S:
            self._lag_at = now
            self._parts.meter.lagging(self._parts.source.lag())

    def _batches(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """Yield the events in order, those at which a process may have died alone."""
        journal = self._parts.journal
        if events and not journal.may_suspect(events):
            yield events
            return
        together: list[Event] = []
        for event in events:
            if not journal.is_suspect(event):
                together.append(event)
                continue
            if together:
                yield together
                together = []
            yield [event]
        if together:
            yield together

    def _work(self, events: Sequence[Event]) -> None:
        parts = self._parts
        predictor = parts.followed.current
        parts.health.beat()
        if len(events) == 1 and parts.journal.is_poison(events[0]):
            made = Outcome()
            problem = letters.of_failure("poison", letters.POISON)
            parts.scoring.add_letter(made, predictor, events[0], problem)
            _log.error("event %s/%s is put aside: %s", events[0].partition, events[0].offset,
                       letters.POISON)  # fmt: skip
        else:
            parts.journal.begin(events)
            made = parts.scoring.outcome(predictor, events)
        if made.letters and parts.dead is None:
            self._show(made.letters)
        try:
            refused = self.delivery.deliver(events, made.predictions, made.letters)
        except BatchLost as error:
            parts.meter.committed("lost")
            _log.warning("a batch of %d events comes again: %s", len(events), error)
            parts.journal.end([])
            return
        made.reasons.update({"refused": refused} if refused else {})
        parts.meter.done(len(made.predictions) - refused, made.reasons, made.times)
        parts.journal.end(events)

    def of_refused(self, events: Sequence[Event], one: Refused) -> Message:
        """Return the dead letter of the event whose prediction the sink will never take."""
        name = letters.id_of(one.message)
        source = self._parts.source.name
        event = next(e for e in events if f"{source}/{e.partition}/{e.offset}" == name)
        problem = letters.of_failure("refused", f"The sink refuses the prediction: {one.reason}")
        return self._parts.scoring.letter(self._parts.followed.current, event, problem)

    def _show(self, made: Sequence[Message]) -> None:
        """Log what is wrong, where there is no place for dead letters: ids and problems alone."""
        for letter in made[:5]:
            found = orjson.loads(letter.value)
            lines = found["problem"].get("errors", [])[:5]
            errors = [f"{line['field']} {line['problem']}" for line in lines]
            _log.warning("event %s: %s %s", found["id"], found["problem"]["detail"],
                         "; ".join(errors))  # fmt: skip
        if len(made) > 5:
            _log.warning("and %d more events of this batch", len(made) - 5)
