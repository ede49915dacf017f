"""Rows of numbers in memory that a service's processes share: each writes to one, all read all.

The memory is made before the workers are forked. A process claims a row by locking a byte of it:
the kernel releases the lock when the process ends, however it ends. What it has counted stays in
the row, and the next process that claims it goes on adding: a counter never falls, and there are
never more rows than processes that lived at the same time. Slots that say how a process is now
(gauges) count while it lives, and are zero again for the next one.

Where more processes live than there are rows, the others share one, under a lock between processes
that makes each of their updates some microseconds slower; their gauges are not kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Protocol

from scoring.shared_memory.layout import Layout

BOARD: Final = 0  # the byte that is locked to change the board
_SHARED: Final = 1  # the shared row's byte
_FIRST: Final = 2  # the first row's byte
_NUMBER_BYTES: Final = 8

_log = logging.getLogger(__name__)


class Lock(Protocol):
    """A lock that is held while numbers of a row are changed."""

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> bool | None: ...


class Row:
    """A process's own row: add to `values` (float64) under `lock`, which its threads share."""

    def __init__(self, values: memoryview[float], lock: Lock, number: int | None) -> None:
        self.values = values
        self.lock = lock
        self.number = number  # None: the shared row


class Store:
    """`rows` rows of the numbers that a layout declares, and its board's memory."""

    def __init__(self, layout: Layout, *, rows: int) -> None:
        page = mmap.PAGESIZE
        self._width = layout.width
        self._per_process = layout.per_process
        self._rows = rows
        self._stride = -(-layout.width * _NUMBER_BYTES // page) * page
        # the document twice, and a number that says which of the two counts
        self._board_bytes = -(-(_NUMBER_BYTES + 2 * layout.document_bytes) // page) * page
        self._fd = _memory()
        # not at exit, where other threads still count: the process's end closes it anyway
        weakref.finalize(self, os.close, self._fd).atexit = False
        # a row that nobody ever claimed is never touched, and takes no memory
        self._start = -(-(rows + 1) // page) * page + self._board_bytes
        size = self._start + (rows + 1) * self._stride
        os.ftruncate(self._fd, size)
        self._map = mmap.mmap(self._fd, size)
        self.board = memoryview(self._map)[self._start - self._board_bytes : self._start]
        self._used = memoryview(self._map)[: rows + 1]
        self.forget()
        _after_fork(self)

    @property
    def row(self) -> Row:
        """The row of this process, claimed at the first use."""
        return self._own or self._claim()

    def rows(self) -> Iterator[tuple[memoryview[float], bool]]:
        """Yield the numbers of each row that was ever used, and whether its process lives.

        A number that changes meanwhile is the one before or after.
        """
        for number, used in enumerate(self._used):
            if used:
                yield self._values(number), number < self._rows and self._is_claimed(number)

    @contextlib.contextmanager
    def locked(self, byte: int, *, shared: bool = False) -> Iterator[None]:
        """Keep all other threads and processes out of the block.

        With `shared`, other processes that say so too may be in it.
        """
        with self._threads[byte]:  # the file's lock belongs to the process
            fcntl.lockf(self._fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, 1, byte)
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, byte)

    def forget(self) -> None:
        """Let go of the row, which is the parent's, in a process that was just forked."""
        self._own: Row | None = None
        self._claiming = threading.Lock()
        self._threads = {BOARD: threading.Lock(), _SHARED: threading.Lock()}

    def _claim(self) -> Row:
        with self._claiming:
            if self._own is None:
                self._own = self._free() or self._last()
                self._used[self._rows if self._own.number is None else self._own.number] = 1
            return self._own

    def _free(self) -> Row | None:
        for number in range(self._rows):
            if self._try(fcntl.LOCK_EX, number):
                values = self._values(number)
                for slot in self._per_process:
                    values[slot] = 0.0
                return Row(values, threading.Lock(), number)
        return None

    def _last(self) -> Row:
        _log.warning(
            "more than %d processes count at once: this one shares a row, which is slower, and its "
            "gauges are not shown",
            self._rows,
        )
        return Row(self._values(self._rows), _SharedRowLock(self), None)

    def _is_claimed(self, number: int) -> bool:
        # POSIX locks belong to the process: to release one in any thread releases them all
        with self._claiming:
            if self._own is not None and self._own.number == number:
                return True
            if not self._try(fcntl.LOCK_SH, number):
                return True
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, _FIRST + number)
            return False

    def _try(self, kind: int, number: int) -> bool:
        try:
            fcntl.lockf(self._fd, kind | fcntl.LOCK_NB, 1, _FIRST + number)
        except OSError:
            return False
        return True

    def _values(self, number: int) -> memoryview[float]:
        start = self._start + number * self._stride
        data = memoryview(self._map)[start : start + self._width * _NUMBER_BYTES]
        return data.cast("d")


class _SharedRowLock:
    """The lock of the row that several processes write to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held = contextlib.ExitStack()  # written by the thread that holds the lock

    def __enter__(self) -> None:
        locked = self._store.locked(_SHARED)
        locked.__enter__()
        self._held.push(locked.__exit__)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._held.pop_all().close()


def _memory() -> int:
    """Return the descriptor of an empty file in memory; of a temporary file outside Linux."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("metrics")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _after_fork(store: Store) -> None:
    reference = weakref.ref(store)  # a store that is no longer used can be freed

    def forget() -> None:
        if living := reference():
            living.forget()

    os.register_at_fork(after_in_child=forget)
