"""Whether the other side takes what it is sent."""

from __future__ import annotations


class Progress:
    """Of one connection. A slow reader takes some of it every now and then; a dead or hostile one
    takes nothing, and would hold its place and its answer for ever."""

    def __init__(self) -> None:
        self._left = 0
        self._since = 0.0

    def stalled_s(self, left: int, now: float) -> float:
        """Gives for how many seconds the bytes `left` to be sent have not become other ones."""
        if left != self._left or not left:
            self._left, self._since = left, now
        return now - self._since
