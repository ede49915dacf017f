"""API keys: who may ask, by a file of their hashes.

    # name   scope    sha256 of the key
    shop     predict  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    watcher  admin    sha256:...

`python -m serving.auth shop` makes a key and its line. A key is 256 random bits, so a plain hash of
it cannot be reversed; the file is not secret, but whoever can write it can add a key of their own.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from scoring.errors import Forbidden, SettingsError, Unauthorised
from scoring.process.usage import described
from serving.http.access import Access, access

ADMIN: Final = "admin"  # may ask every route
PREDICT: Final = "predict"  # may ask every route but those of Access.ADMIN and Access.FEEDBACK
FEEDBACK: Final = "feedback"  # may tell what came true, and ask nothing

_LINE: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})\s+(predict|feedback|admin)\s+sha256:([0-9a-f]{64})"
)
_MAX_BYTES: Final = 1024 * 1024
_LOOK_AGAIN_S: Final = 1.0
_MAX_REMEMBERED: Final = 1000  # requests' heads that known keys came with
_MAX_REMEMBERED_LENGTH: Final = 512  # of one, in characters

_log = logging.getLogger(__name__)


class Key(NamedTuple):
    """One line of the file: whose key it is, what for, and its hash."""

    name: str
    scope: str
    digest: bytes


class _Known:
    """The keys of one state of the file, and what was found of requests while it held."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        # path and headers of those that were admitted: the name of their key
        self.admitted: dict[tuple[str, bytes | None, bytes | None], str] = {}


class ApiKeys:
    """The keys in a file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Read the keys; raises SettingsError for a file that cannot be used."""
        self._path = path
        self._seen: tuple[int, int, int] | None
        try:
            self._seen = self._mark()
            self._known = _Known(read(path))
        except (OSError, ValueError) as error:
            raise SettingsError(f"API_KEYS_FILE={path}: {_why(error)}") from None
        self._looked = time.monotonic()

    def admit(self, path: str, authorization: str | None, x_api_key: str | None) -> str | None:
        """Return the name of the request's key, or None where `path` needs none.

        Raises Unauthorised without a key or with an unknown one, Forbidden for one of another
        scope.

        The key comes as `Authorization: Bearer KEY`, as `X-API-Key: KEY`, or, since browsers ask
        for that, as the password of `Authorization: Basic`.
        """
        needed = access(path)
        if needed in (Access.PROBE, Access.STATIC, Access.SIGNED):
            return None
        return _admitted(self._current().keys, needed, presented(authorization, x_api_key))

    def admit_again(self, path: str, headers: Mapping[bytes, bytes]) -> str | None:
        """Return or raise the same for `headers` with names in lower case; those that were admitted
        are remembered until the file changes, as clients send them again."""
        known = self._current()
        asked = path, headers.get(b"authorization"), headers.get(b"x-api-key")
        # the time of a look-up by a seeded hash tells no more of a key than comparing hashes does
        if name := known.admitted.get(asked):
            return name
        sent = [None if part is None else part.decode("latin-1") for part in asked[1:]]
        admitted = self.admit(path, *sent)
        if admitted and sum(map(len, filter(None, asked))) <= _MAX_REMEMBERED_LENGTH:
            if len(known.admitted) >= _MAX_REMEMBERED:
                known.admitted = {}
            known.admitted[asked] = admitted
        return admitted

    def _current(self) -> _Known:
        now = time.monotonic()
        if now - self._looked >= _LOOK_AGAIN_S:
            self._looked = now
            self._look()
        return self._known

    def _look(self) -> None:
        before, self._seen = self._seen, None
        try:
            self._seen = self._mark()
            if self._seen == before:
                return
            self._known = _Known(read(self._path))
        except (OSError, ValueError) as error:
            # the keys of a moment ago stay valid: a slip of an editor must not lock everybody out
            if self._seen != before:
                why = _why(error)
                _log.error("API_KEYS_FILE cannot be used, the keys read before stay valid: %s", why)
            return
        _log.info("%d API keys read", len(self._known.keys))

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_ino, found.st_size


def _admitted(keys: tuple[Key, ...], needed: Access, given: str | None) -> str:
    """Return the name of the key `given`; raises Unauthorised or Forbidden."""
    if given is None:
        raise Unauthorised("an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")
    digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()
    found = None
    for key in keys:  # all of them, so that the time taken tells nothing
        if hmac.compare_digest(key.digest, digest):
            found = key
    if found is None:
        raise Unauthorised("this API key is not known here")
    if needed is Access.ADMIN and found.scope != ADMIN:
        raise Forbidden("this needs a key with the scope admin")
    if needed is Access.FEEDBACK and found.scope not in (FEEDBACK, ADMIN):
        raise Forbidden("this needs a key with the scope feedback")
    if needed is Access.PREDICT and found.scope == FEEDBACK:
        raise Forbidden("this key has the scope feedback, which is for /feedback/<model> alone")
    return found.name


def read(path: Path) -> tuple[Key, ...]:
    """Return the keys in a file; raises OSError, or ValueError that names the bad line."""
    with path.open(encoding="utf-8-sig") as file:  # Windows' editors begin with a mark
        try:
            text = file.read(_MAX_BYTES)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"it is not UTF-8: byte {error.start} cannot be decoded; save it as UTF-8"
            ) from None
    found: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            raise ValueError(
                f"line {number} is not NAME predict|feedback|admin sha256:64 HEX DIGITS"
            )
        name, scope, digest = match.groups()
        if name in found:
            raise ValueError(f"line {number} has the name {name} again")
        found[name] = Key(name, scope, bytes.fromhex(digest))
    if not found:
        raise ValueError("there is no key in it")
    return tuple(found.values())


def presented(authorization: str | None, x_api_key: str | None) -> str | None:
    """Return the key that a request brings, None without one."""
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
    """Return a new key and its line for the file; raises ValueError for a bad name."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {scope} sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    if not _LINE.fullmatch(line):
        raise ValueError(f"'{name}' cannot be a key's name: use letters, digits, '.', '_' and '-'")
    return key, line


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    what = (
        "Make an API key and its line for API_KEYS_FILE. It is shown once; the file has its hash."
    )
    examples = ("python -m serving.auth shop", "python -m serving.auth watcher --admin")
    line = argparse.ArgumentParser(prog="python -m serving.auth", **described(what, *examples))
    line.add_argument("name", help="whose key it is, for the logs")
    scope = line.add_mutually_exclusive_group()
    scope.add_argument("--admin", action="store_true", help="also for GET /metrics")
    scope.add_argument("--feedback", action="store_true", help="for POST /feedback/<model> alone")
    return line


def main(argv: list[str] | None = None) -> None:
    """Print a new key, once, and its line for the file."""
    line = parser()
    given = line.parse_args(argv)
    try:
        key, entry = make(
            given.name, ADMIN if given.admin else FEEDBACK if given.feedback else PREDICT
        )
    except ValueError as error:
        line.error(str(error))
    print(f"key, for the client: {key}\nline, for API_KEYS_FILE: {entry}")  # noqa: T201  # to a person


if __name__ == "__main__":
    main()
