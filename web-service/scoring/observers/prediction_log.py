"""From a prediction to the file: the request's thread queues it, a thread of ours writes it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from scoring.errors import InvalidRecords
from scoring.observers.log_files import Files
from scoring.observers.log_lines import (
    Entry,
    Feedback,
    Lines,
    Refusal,
    Truth,
    of_feedback,
    of_refusal,
)
from scoring.observers.observer import Caller
from scoring.predictor import Predictor, Scored

_MAX_QUEUED: Final = 50_000  # records in memory; those beyond them are dropped
_PAUSE_S: Final = 0.25
_BATCH_BYTES: Final = 256 * 1024  # of one write
_STOP_S: Final = 5.0

_log = logging.getLogger(__name__)

_Queued = bytes | Entry | Feedback | Refusal  # a line, or what lines are made of


class PredictionLog:
    """An observer that writes predictions to `files`.

    What cannot be written is dropped and counted, and logged once: a prediction never waits for its
    log, nor fails with it.
    """

    def __init__(
        self,
        files: Files,
        lines: Lines,
        counted: Callable[[int, int], None],
        *,
        max_queued: int = _MAX_QUEUED,
        wanted: tuple[str, ...] = (),
        refusals: bool = False,
    ) -> None:
        """`counted(written, dropped)` is called with numbers of records; `max_queued` wait;
        `wanted` are ids beside the fields that are kept; refused requests are kept where `refusals`
        says so."""
        self.wanted = wanted
        self._refusals = refusals
        self._max_queued = max_queued
        self._files = files
        self._lines = lines
        self._counted = counted
        self._queue: deque[_Queued] = deque()
        self._records = 0  # in the queue
        self._lost = 0  # as the queue was full; not counted yet
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._failing = False
        self._thread: threading.Thread | None = None

    def answered(
        self, predictor: Predictor, scored: Scored, _seconds: float, caller: Caller
    ) -> None:
        """Queue the predictions of one request; the first call starts the process's thread."""
        told = time.time(), caller, predictor, scored
        # a line that is quickly made is made while all that it tells is at hand: kept in the queue
        # until the thread comes, that would take more memory, and more time, than the line does
        self._add(self._lines.quick(*told) or Entry(*told), len(scored.records))

    def told(self, model: str, key: str | None, truths: Sequence[Truth]) -> bool:
        """Queue what came true; return whether there was room."""
        return self._add(Feedback(time.time(), key, model, truths), len(truths))

    def _add(self, entry: _Queued, count: int) -> bool:
        with self._lock:
            has_room = self._records + count <= self._max_queued
            if has_room:
                self._records += count
                self._queue.append(entry)
            else:
                self._lost += count
        if self._thread is None:
            self._start()
        if self._records > self._max_queued // 2:
            self._wake.set()
        return has_room

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        """Queue which fields of a request were bad, and why, where that is kept."""
        if self._refusals:
            self._add(Refusal(time.time(), predictor, error), 1)

    def stop(self) -> None:
        """Write what is queued, for some seconds at most, and end the thread."""
        self._stopped = True
        self._wake.set()
        if self._thread:
            self._thread.join(_STOP_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(
                    target=self._work, name="prediction-log", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        while not self._stopped:
            self._wake.wait(_PAUSE_S)
            self._wake.clear()
            self._flush()
        self._flush()
        self._files.close()

    def _flush(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            self._counted(0, lost)
            self._fail("more is predicted than can be written")
        limit = min(_BATCH_BYTES, self._files.max_bytes)
        batch: list[bytes] = []
        size = 0
        while self._queue:
            entry = self._queue.popleft()
            lines: Iterable[bytes]
            if isinstance(entry, bytes):
                count, lines = 1, (entry,)
            elif isinstance(entry, Feedback):
                count, lines = len(entry.truths), of_feedback(entry)
            elif isinstance(entry, Refusal):
                count, lines = 1, [of_refusal(entry)]
            else:
                count, lines = len(entry.scored.records), self._lines.of(entry)
            with self._lock:
                self._records -= count
            for line in lines:
                batch.append(line)
                size += len(line)
                if size > limit:
                    self._append(batch)
                    batch, size = [], 0
        if batch:
            self._append(batch)

    def _append(self, batch: list[bytes]) -> None:
        try:
            self._files.append(b"".join(batch))
        except OSError as error:
            self._counted(0, len(batch))
            self._fail(error.strerror or str(error))
            return
        self._counted(len(batch), 0)
        if self._failing:
            self._failing = False
            _log.warning("the prediction log %s is written again", self._files.path)

    def _fail(self, why: str) -> None:
        if not self._failing:
            self._failing = True
            _log.error(
                "the prediction log %s cannot take all: %s; predictions go on, and what is missing "
                "is counted",
                self._files.path,
                why,
            )
