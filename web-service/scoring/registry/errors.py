"""What can go wrong between the registry and the cache; every message is one line for the log."""

from __future__ import annotations


class Away(Exception):
    """The registry could not be asked: no answer, or none that a registry gives."""


class Absent(Exception):
    """The registry answered: there is no such model, alias or version."""


class Refused(Exception):
    """The version must not serve as it is."""


class Failed(Exception):
    """The version could not be fetched or stored this time; another try may do."""
