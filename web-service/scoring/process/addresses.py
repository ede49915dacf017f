"""Addresses of other servers, as a setting names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

HTTP: Final = ("http", "https")
NO_PORT: Final = "its port is none: a number from 1 to 65535 is expected behind the host"


def trouble_of(address: str, schemes: Sequence[str] = HTTP) -> str:
    """Return why no server can be asked there, for behind a setting's name; empty: nothing."""
    begins = f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host"
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that are no IPv6 address's
        return begins
    if parts.scheme not in schemes or not parts.hostname:
        return begins
    try:
        port = parts.port
    except ValueError:
        port = 0
    return NO_PORT if port == 0 else ""
