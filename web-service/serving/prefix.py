"""The service mounted below a path: SCRIPT_NAME, or what a trusted proxy has stripped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from serving.server.clients import Networks, is_trusted

PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")

_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Mounted:
    """A WSGI app whose addresses begin with a prefix.

    `script_name` is the service's own: it is taken off a path that begins with it, and a path
    without it is answered all the same, since probes come straight to the port. In front of it
    comes what a proxy of the `trusted` networks names in X-Forwarded-Prefix, whether it has taken
    that off the path, as most do, or not.
    """

    def __init__(self, app: _Wsgi, script_name: str, trusted: Networks) -> None:
        """`script_name` is empty or like PREFIX."""
        self._app = app
        self._script_name = script_name
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer with the prefix in SCRIPT_NAME and the rest in PATH_INFO."""
        path = environ["PATH_INFO"]
        prefixes = [self._script_name]
        forwarded = environ.get("HTTP_X_FORWARDED_PREFIX", "").rstrip("/")
        known = PREFIX.fullmatch(forwarded) and forwarded != self._script_name
        if known and is_trusted(environ.get("REMOTE_ADDR", ""), self._trusted):
            prefixes.insert(0, forwarded)
        for prefix in prefixes:
            path = _without(prefix, path)
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "".join(prefixes), path
        return self._app(environ, start_response)


def _without(prefix: str, path: str) -> str:
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        return path.removeprefix(prefix) or "/"
    return path
