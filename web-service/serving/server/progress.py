"""Whether a client takes what it is sent."""

from __future__ import annotations


class Progress:
    """What one connection has sent.

    A slow reader takes some of it every now and then; a dead or hostile one takes nothing, and
    would hold its place and its answer for ever.
    """

    def __init__(self) -> None:
        """Begin with nothing to be sent."""
        self._left = 0
        self._since = 0.0

    def stalled_s(self, left: int, now: float) -> float:
        """Return for how many seconds the number of bytes `left` to be sent has not changed."""
        if left != self._left or not left:
            self._left, self._since = left, now
        return now - self._since
