"""Rows of numbers in memory that a service's processes share: each writes to one, all read all.

The memory is made before the workers are forked. A process claims a row by locking a byte of it:
the kernel gives the lock back when the process ends, however it ends. What it has counted stays in
the row, and the next process that claims it goes on adding: a counter never falls, and there are
never more rows than processes that lived at once. What says how a process is right now (gauges,
the first numbers of a row) counts while it lives, and begins anew with its successor.

Where more processes live than there are rows, the rest share one, under a lock between processes
that makes each of their updates some microseconds slower; gauges are not kept for those.
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

BOARD: Final = 0  # the byte that whoever changes the board locks
_FIRST: Final = 2  # the first row's byte; the one before is that of the shared row
_SHARED: Final = 1
_NUMBER_BYTES: Final = 8

_log = logging.getLogger(__name__)


class Lock(Protocol):
    """What is held while numbers of a row are changed."""

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
    """`rows` rows of `width` numbers, the first `gauges` of which say how a process is; and
    `board_bytes` for a document."""

    def __init__(self, width: int, *, gauges: int, rows: int, board_bytes: int) -> None:
        page = mmap.PAGESIZE
        self._width = width
        self._gauges = gauges
        self._rows = rows
        self._stride = -(-width * _NUMBER_BYTES // page) * page
        self._board_bytes = -(-board_bytes // page) * page
        self._fd = _memory()
        weakref.finalize(self, os.close, self._fd)
        # a row that nobody ever claimed is never touched, and takes no memory
        self._start = -(-(rows + 1) // page) * page + self._board_bytes
        size = self._start + (rows + 1) * self._stride
        os.ftruncate(self._fd, size)
        self._map = mmap.mmap(self._fd, size)
        self.board = memoryview(self._map)[self._start - self._board_bytes : self._start]
        self._used = memoryview(self._map)[: rows + 1]
        self._own: Row | None = None
        self._claiming = threading.Lock()
        _after_fork(self)

    @property
    def row(self) -> Row:
        """The row of this process, claimed when it is first asked for."""
        return self._own or self._claim()

    def rows(self) -> Iterator[tuple[memoryview[float], bool]]:
        """Gives the numbers of each row that was ever used, and whether its gauges are those of
        a process that lives. A number that changes meanwhile is the one before or after."""
        for number, used in enumerate(self._used):
            if used:
                yield self._values(number), number < self._rows and self._is_claimed(number)

    def alive(self) -> int:
        """Gives the number of processes that have a row of their own."""
        return sum(alive for _, alive in self.rows())

    @contextlib.contextmanager
    def locked(self, byte: int, *, shared: bool = False) -> Iterator[None]:
        """Keeps other processes out of the block, or those alone that would change something."""
        fcntl.lockf(self._fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, 1, byte)
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, byte)

    def forget(self) -> None:
        """Is called in a process that was just forked: the row is its parent's."""
        self._own = None
        self._claiming = threading.Lock()

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
                for place in range(self._gauges):
                    values[place] = 0.0
                return Row(values, threading.Lock(), number)
        return None

    def _last(self) -> Row:
        _log.warning(
            "more than %d processes count at once: this one shares a row, which is slower, and its "
            "gauges are not shown",
            self._rows,
        )
        return Row(self._values(self._rows), _BothLocks(self), None)

    def _is_claimed(self, number: int) -> bool:
        with self._claiming:  # a lock of one thread is given back by any other of its process
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


class _BothLocks:
    """Keeps out this process's other threads, which a lock between processes would let pass, and
    the other processes that share the row."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = threading.Lock()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> None:
        self._threads.acquire()
        self._held.enter_context(self._store.locked(_SHARED))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._held.close()
        self._threads.release()


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("metrics")
    with tempfile.TemporaryFile() as file:  # pragma: no cover  # where there is no Linux
        return os.dup(file.fileno())


def _after_fork(store: Store) -> None:
    found = weakref.ref(store)

    def forget() -> None:
        if there := found():
            there.forget()

    os.register_at_fork(after_in_child=forget)
