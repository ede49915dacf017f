"""How a command can end other than well; each error knows its exit status."""

from __future__ import annotations

from typing import ClassVar


class MonitoringError(Exception):
    """The command ends; the message is one line that says what was seen and what to do."""

    status: ClassVar[int] = 1


class UsageError(MonitoringError):
    """What was asked for does not fit together."""

    status = 2
