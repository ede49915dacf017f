"""Which texts are secrets: values of variables with such names, and passwords within addresses."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

_NAME: Final = re.compile(r"password|passwd|secret|token|api_?key|access_?key", re.IGNORECASE)
_PLACES: Final = ("_file", "_path", "_dir", "_url", "_uri")  # where it is, not what it is
_LEAST: Final = 4  # characters; shorter ones would take ordinary words out of lines


def is_secret(name: str) -> bool:
    """Return whether a setting or variable of that name holds a secret."""
    return bool(_NAME.search(name)) and not name.lower().endswith(_PLACES)


def of_environment(environ: Mapping[str, str]) -> set[str]:
    """Return every form in which secrets of these variables may appear in a text."""
    secrets: set[str] = set()
    for name, value in environ.items():
        if is_secret(name):
            secrets.update(_forms(value.strip()))
        elif "://" in value and "@" in value:
            secrets.update(_within(value))
    return secrets


def of_login(name: str | None, password: str | None) -> set[str]:
    """Return what basic authentication makes of a name and a password."""
    if not (name and password):
        return set()
    return {*_forms(base64.b64encode(f"{name}:{password}".encode()).decode())}


def _within(address: str) -> Iterator[str]:
    """Yield the password in an address, and what basic authentication makes of it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    if parts.password:
        password = unquote(parts.password)
        yield from _forms(parts.password)
        yield from _forms(password)
        yield from of_login(unquote(parts.username or ""), password)


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, as a URL and as Python's repr write it."""
    for form in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
        if len(form) >= _LEAST:
            yield form
