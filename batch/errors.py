"""How a run can end other than well; each error knows its exit status."""

from __future__ import annotations

from typing import ClassVar


class BatchError(Exception):
    """The run ends; the message is one line that says what was seen and what to do."""

    status: ClassVar[int] = 1


class UsageError(BatchError):
    """What was asked for does not fit together."""

    status = 2


class TooManyRejectedError(BatchError):
    """More rows are not valid than the run may reject."""

    status = 3


class StoppedError(BatchError):
    """A signal ended the run at a safe point; the same command goes on."""
