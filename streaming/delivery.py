"""At least once: predictions and dead letters first, the commit after both are acknowledged."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import orjson

from streaming.errors import BrokerUnavailable, GraceOver, StreamError
from streaming.health import Health
from streaming.interface import Event, Message, Refused, Sink, Source
from streaming.meter import Meter

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 10.0
_KEPT_KEY: Final = 256  # bytes of a key that a shortened letter may have
_SLICE_S: Final = 0.25  # of a pause, after which a stop is noticed
FLUSH_S: Final = 1.0  # of one try; then the source shows that it is alive

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Patience:
    """Tries again and again what a broker does not do, with growing pauses, until the grace time
    of a stop is over."""

    def __init__(self, health: Health, grace_over: Callable[[], bool]) -> None:
        self._health = health
        self._grace_over = grace_over

    def until(self, what: str, call: Callable[[], T], meanwhile: Callable[[], None]) -> T:
        """Return what `call` returns once it does not raise BrokerUnavailable. Between tries
        `meanwhile` is called. Raises GraceOver."""
        pause, began, said = FIRST_PAUSE_S, time.monotonic(), False
        while True:
            self._health.beat()
            try:
                result = call()
            except BrokerUnavailable as error:
                if self._grace_over():
                    raise GraceOver(f"{what}: {error}") from error
                said = True
                self.pause(what, error, pause, meanwhile)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                self._health.waits(what, None)
                if said:
                    _log.info("%s is back after %.1f s", what, time.monotonic() - began)
                return result

    def pause(
        self,
        what: str,
        error: BrokerUnavailable,
        seconds: float,
        meanwhile: Callable[[], None],
        ended: Callable[[], bool] | None = None,
    ) -> None:
        """Show why `what` is waited for, and wait for some `seconds`, or until it has `ended`
        (default: the grace time is over). A reason is logged where it is another than before."""
        if self._health.waits(what, str(error)):
            _log.warning("%s is waited for: %s", what, error)
        until = time.monotonic() + seconds * random.uniform(0.7, 1.0)  # noqa: S311
        ended = ended or self._grace_over
        meanwhile()
        while (left := until - time.monotonic()) > 0 and not ended():
            time.sleep(min(left, _SLICE_S))
            self._health.beat()
            meanwhile()


class AtLeastOnce:
    """Nothing is lost; what was sent and not committed when a worker ends is sent again."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        dead: Sink | None,
        patience: Patience,
        meter: Meter,
        of_refused: Callable[[Sequence[Event], Refused], Message],
    ) -> None:
        """`of_refused` makes the dead letter of a prediction that the sink will never take."""
        self._source = source
        self._sink = sink
        self._dead = dead
        self._patience = patience
        self._meter = meter
        self._of_refused = of_refused

    def deliver(
        self, events: Sequence[Event], predictions: Sequence[Message], letters: Sequence[Message]
    ) -> int:
        """Send the outcome of `events` and commit these; return how many predictions became dead
        letters, as the sink refused them. Raises BatchLost and GraceOver."""
        source, until = self._source, self._patience.until
        refused: list[Refused] = []
        if predictions:
            self._sink.send(predictions)
            refused = until("sink", lambda: self._sink.flush(FLUSH_S), source.keep_alive)
        for one in refused:
            _log.error("the sink refuses a prediction: %s", one.reason)
        letters = [*letters, *(self._of_refused(events, one) for one in refused)]
        if letters and self._dead:
            dead = self._dead
            dead.send(letters)
            too_large = until("dead letters", lambda: dead.flush(FLUSH_S), source.keep_alive)
            if too_large:
                dead.send([shortened(one) for one in too_large])
                for one in until("dead letters", lambda: dead.flush(FLUSH_S), source.keep_alive):
                    shortened(one)  # raises
        until("source", lambda: source.commit(events), source.keep_alive)
        self._meter.committed("done")
        return len(refused)


def shortened(refused: Refused) -> Message:
    """Return a letter without the event in it, and without a long key, where its broker refuses the
    whole one. Raises StreamError where that is done already: nothing is thrown away unseen."""
    letter = orjson.loads(refused.message.value)
    if letter["event"] == {"truncated": True}:
        raise StreamError(
            f"dead letters: the broker refuses even a letter of {len(refused.message.value)} bytes "
            f"without the event in it ({refused.reason}); have it take larger messages"
        )
    key = refused.message.key
    letter["event"] = {"truncated": True}
    letter["problem"]["errors"] = letter["problem"].get("errors", [])[:5]
    return Message(orjson.dumps(letter), key if len(key or b"") <= _KEPT_KEY else None, ())
