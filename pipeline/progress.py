"""How long a step has been at work: on a terminal each second, elsewhere every ten seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final, TextIO

_LINE_S: Final = 10.0
_SHOW_S: Final = 1.0


@contextlib.contextmanager
def working(
    name: str, stream: TextIO | None = None, every_s: float | None = None
) -> Iterator[None]:
    """Show, while the block is at work, for how long it has been; on a terminal the line goes again
    at its end."""
    out = stream or sys.stderr
    human = out.isatty()
    wait_s = every_s or (_SHOW_S if human else _LINE_S)
    begun, ended = time.monotonic(), threading.Event()

    def show() -> None:
        while not ended.wait(wait_s):
            text = f"{name}: {time.monotonic() - begun:.0f} s"
            out.write(f"\r{text}" if human else f"{text}\n")
            out.flush()

    thread = threading.Thread(target=show, daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if human:
            out.write("\r\x1b[K")
            out.flush()
