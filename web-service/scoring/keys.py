"""API keys: who may ask, by a file that holds their hashes.

    # name   scope    sha256 of the key
    shop     predict  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    watcher  admin    sha256:...

`python -m scoring.keys shop` makes a key and its line. A key is 256 random bits, so a plain hash of
it cannot be turned round; the file is no secret, but whoever can write it can let themselves in.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import logging
import re
import secrets
import time
from pathlib import Path
from typing import Final, NamedTuple

from scoring.errors import Forbidden, SettingsError, Unauthorised

ADMIN: Final = "admin"  # may do everything
PREDICT: Final = "predict"  # may do everything but what is for those who run the service
# Probes come from load balancers, which have no keys; MLflow signs its webhook itself.
PROBES: Final = frozenset(
    {"/ping", "/health", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}
)
FREE: Final = PROBES | {"/hooks/mlflow"}
FOR_ADMINS: Final = frozenset({"/metrics"})

_LINE: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})\s+(predict|admin)\s+sha256:([0-9a-f]{64})"
)
_MAX_BYTES: Final = 1024 * 1024
_LOOK_AGAIN_S: Final = 1.0

_log = logging.getLogger(__name__)


class Key(NamedTuple):
    """One line of the file: whose key it is, what for, and its hash."""

    name: str
    scope: str
    digest: bytes


class Keys:
    """The keys in a file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError for a file that cannot be used."""
        self._path = path
        self._seen: tuple[int, int, int] | None
        try:
            self._seen = self._mark()
            self._keys = read(path)
        except (OSError, ValueError) as error:
            raise SettingsError(f"API_KEYS_FILE={path}: {_why(error)}") from None
        self._looked = time.monotonic()

    def admit(self, path: str, authorization: str | None, x_api_key: str | None) -> str | None:
        """Gives the name of whose key it is, None where `path` needs none. Raises Unauthorised
        without a key, or with one that is not in the file, and Forbidden for another scope's.

        The key comes as `Authorization: Bearer KEY`, as `X-API-Key: KEY`, or, since browsers ask
        for that, as the password of `Authorization: Basic`."""
        if path in FREE:
            return None
        given = presented(authorization, x_api_key)
        if given is None:
            raise Unauthorised("an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")
        digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()
        found = None
        for key in self._current():  # all of them, so that the time taken tells nothing
            if hmac.compare_digest(key.digest, digest):
                found = key
        if found is None:
            raise Unauthorised("this API key is not known here")
        if path in FOR_ADMINS and found.scope != ADMIN:
            raise Forbidden("this needs a key with the scope admin")
        return found.name

    def _current(self) -> tuple[Key, ...]:
        now = time.monotonic()
        if now - self._looked >= _LOOK_AGAIN_S:
            self._looked = now
            self._look()
        return self._keys

    def _look(self) -> None:
        before, self._seen = self._seen, None
        try:
            self._seen = self._mark()
            if self._seen == before:
                return
            self._keys = read(self._path)
        except (OSError, ValueError) as error:
            # who had a key a moment ago keeps it: a slip of an editor must not lock all out
            if self._seen != before:
                why = _why(error)
                _log.error("API_KEYS_FILE cannot be used, the keys stay: %s", why)
            return
        _log.info("%d API keys read", len(self._keys))

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_ino, found.st_size


def read(path: Path) -> tuple[Key, ...]:
    """Gives the keys in a file; raises OSError, or ValueError with the line that is none."""
    with path.open(encoding="utf-8") as file:
        text = file.read(_MAX_BYTES)
    found: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            raise ValueError(f"line {number} is not NAME predict|admin sha256:64 HEX DIGITS")
        name, scope, digest = match.groups()
        if name in found:
            raise ValueError(f"line {number} has the name {name} again")
        found[name] = Key(name, scope, bytes.fromhex(digest))
    if not found:
        raise ValueError("there is no key in it")
    return tuple(found.values())


def presented(authorization: str | None, x_api_key: str | None) -> str | None:
    """Gives the key that a request brings, None for none."""
    if x_api_key:
        return x_api_key
    kind, _, value = (authorization or "").partition(" ")
    value = value.strip()
    if kind.lower() == "bearer" and value:
        return value
    if kind.lower() == "basic":
        try:
            _, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return password or None
    return None


def make(name: str, scope: str) -> tuple[str, str]:
    """Gives a new key and its line for the file; raises ValueError for a name that is none."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {scope} sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    if not _LINE.fullmatch(line):
        raise ValueError(f"'{name}' is no name for a key: letters, digits, '.', '_' and '-' are")
    return key, line


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def main(argv: list[str] | None = None) -> None:
    """Prints a new key, once, and the line that lets it in."""
    parser = argparse.ArgumentParser(
        prog="python -m scoring.keys", description="Makes an API key: shown once, kept as its hash."
    )
    parser.add_argument("name", help="whose key it is, for the logs")
    parser.add_argument("--admin", action="store_true", help="also for GET /metrics")
    given = parser.parse_args(argv)
    try:
        key, line = make(given.name, ADMIN if given.admin else PREDICT)
    except ValueError as error:
        parser.error(str(error))
    print(f"key, for the client: {key}\nline, for API_KEYS_FILE: {line}")  # noqa: T201  # to a person


if __name__ == "__main__":
    main()
