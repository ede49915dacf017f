"""How a run can end other than well; each error knows its exit status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class PipelineError(Exception):
    """The run ends; the message is one line that says what was seen and what to do."""

    status: ClassVar[int] = 1


class UsageError(PipelineError):
    """What was asked for does not fit together."""

    status = 2


class StoppedError(PipelineError):
    """A signal ended the run; the same command goes on."""


class LostError(StoppedError):
    """Another watcher has taken the lease: this run may not go on."""


class RefusedError(PipelineError):
    """A step looked and said no: data that is not like the months before, or a candidate that may
    not serve. Each of `reasons` is a sentence."""

    status = 3

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = list(reasons)
