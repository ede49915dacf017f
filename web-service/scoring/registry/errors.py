"""What can go wrong between the registry and the cache; every message is one line for the log."""

from __future__ import annotations


class RegistryError(Exception):
    """A version cannot be had from the registry; the message is one line for the log."""


class RegistryUnavailable(RegistryError):
    """The registry did not answer, or not as a registry does."""


class VersionNotFound(RegistryError):
    """The registry answered that it has no such model, alias or version."""


class VersionRejected(RegistryError):
    """The version must not serve as it is."""


class FetchFailed(RegistryError):
    """The version could not be downloaded or stored this time; another attempt may succeed."""
