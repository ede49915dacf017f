"""A limit on how long a block may take, wherever it waits."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class TimeLimitReached(Exception):
    """The block took longer than it may."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End the block with TimeLimitReached after so many seconds.

    A signal does it, because the timeouts of a socket never run out on a server that sends a byte
    now and then. Signals reach the main thread only: in any other thread the block has no limit
    but those of its sockets.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise TimeLimitReached

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
