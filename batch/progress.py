"""How far a run is: a bar on a terminal, a log line every ten seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Final

_EVERY_S: Final = 10.0

_log = logging.getLogger(__name__)


class Progress:
    """Is told of rows and of the share of the input's bytes that they were."""

    def __init__(self, total_rows: int | None, total_bytes: int) -> None:
        self._total_rows = total_rows
        self._total_bytes = max(1, total_bytes)
        self.rows = 0
        self._bytes = 0
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total_rows, unit=" rows", unit_scale=True, leave=False)

    def add(self, rows: int, size: int) -> None:
        """Count some rows, which were `size` bytes of the input."""
        self.rows += rows
        self._bytes += size
        if self._bar is not None:
            if self._total_rows is None:  # of text, as many as the bytes so far let expect
                self._bar.total = int(self.rows / max(self._share, 1e-9))
            self._bar.update(rows)
        elif time.monotonic() - self._said >= _EVERY_S:
            self._said = time.monotonic()
            _log.info(self.line())

    def line(self) -> str:
        """Return rows, rows a second and the time left, in words."""
        seconds = time.monotonic() - self._began
        speed = self.rows / max(seconds, 1e-9)
        left = seconds / self._share - seconds if self._share else 0.0
        return (
            f"{self.rows:,} rows, {100 * self._share:.0f} %, {speed:,.0f} rows/s, {left:.0f} s left"
        )

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    @property
    def _share(self) -> float:
        if self._total_rows:
            return min(1.0, self.rows / self._total_rows)
        return min(1.0, self._bytes / self._total_bytes)
