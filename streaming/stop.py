"""When a worker is to stop, and how long that may take."""

from __future__ import annotations

import time


class Stop:
    """Set by a signal, asked by the loop."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._since: float | None = None

    def request(self) -> None:
        """Stop after the batch at hand."""
        self._since = self._since or time.monotonic()

    @property
    def requested(self) -> bool:
        """Whether nothing more is to be polled."""
        return self._since is not None

    def grace_over(self) -> bool:
        """Return whether the batch at hand is to be left to the next start."""
        return self._since is not None and time.monotonic() - self._since > self._grace_s
