"""Commits offsets within a limit of time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from streaming.brokers.kafka_client import calling

_TRY_S: Final = 1.0


class Commits:
    """The commits of a consumer, one after the other in a thread of their own: librdkafka's call
    waits without end for brokers that answer nothing (its issue 3740)."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._asked: SimpleQueue[tuple[Sequence[Any], Future[None]]] = SimpleQueue()
        self._wanted: list[tuple[int, int]] = []  # partitions and offsets of the last call
        self._answer: Future[None] | None = None  # to it
        self._started = False

    @property
    def under_way(self) -> bool:
        """Whether librdkafka has not answered yet."""
        return self._answer is not None and not self._answer.done()

    def commit(self, offsets: Sequence[Any]) -> None:
        """Commit offsets; while those are under way from an earlier call, wait for them. Raises
        KafkaException, and TimeoutError after a second in which nothing was answered."""
        wanted = [(place.partition, place.offset) for place in offsets]
        if self._answer is None or self._wanted != wanted:
            self._wanted, self._answer = wanted, Future()
            self._asked.put((offsets, self._answer))
            if not self._started:
                self._started = True
                threading.Thread(target=self._work, daemon=True, name="commits").start()
        answer = self._answer
        try:
            answer.result(_TRY_S)
        finally:
            if answer.done():
                self._answer = None

    def _work(self) -> None:
        while True:
            offsets, answer = self._asked.get()
            try:
                calling(partial(self._consumer.commit, offsets=offsets, asynchronous=False))
            except BaseException as error:  # noqa: BLE001  # the caller's to handle
                answer.set_exception(error)
            else:
                answer.set_result(None)
