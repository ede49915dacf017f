"""Brokers, each a file that is imported where an address names it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, Final

from streaming.addresses import Address
from streaming.errors import UsageError
from streaming.interface import Sink, Source

# scheme: module, and the group of the Pipfile with its package
_BROKERS: Final = {
    "kafka": ("kafka", "kafka"),
    "kinesis": ("kinesis", "kinesis"),
    "redis": ("redis_streams", "redis"),
    "rediss": ("redis_streams", "redis"),
}


def module_of(address: Address) -> ModuleType:
    """Return the module of an address's broker; raises UsageError where its package is missing."""
    name, group = _BROKERS[address.scheme]
    try:
        return import_module(f"streaming.brokers.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{address} needs the package {error.name}: install the Pipfile's group '{group}', or "
            "build the image with --build-arg STREAM=1"
        ) from error


def open_source(address: Address, **who: Any) -> Source:
    """Return a source of the events at `address`; `who` says `settings`, `group`, `worker`
    and `start`."""
    source: Source = module_of(address).source(address, **who)
    return source


def open_sink(address: Address, **who: Any) -> Sink:
    """Return a sink to `address`; `who` says `settings`."""
    sink: Sink = module_of(address).sink(address, **who)
    return sink
