"""HTTP messages between bytes and ASGI: a head that was parsed as a scope, an answer as bytes."""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote

from serving.server import gunicorn_api

CLOSE: Final = b"Connection: close\r\n"
KEEP: Final = b"Connection: keep-alive\r\n"  # for HTTP/1.0, where it is not the rule

_STATUS_LINES: Final = {
    (version, status.value): f"HTTP/1.{version[1]} {status} {status.phrase}\r\n".encode()
    for version in ((1, 0), (1, 1))
    for status in HTTPStatus
}
CONTINUE: Final = _STATUS_LINES[(1, 1), 100] + b"\r\n"

Version = tuple[int, int]
Headers = list[tuple[bytes, bytes]]  # as ASGI has them


def scope_of(parser: Any, transport: Any, client: tuple[str, int] | None) -> dict[str, Any]:
    """Return ASGI's scope of the request whose head `parser` has read."""
    path, _, query = parser.path.partition(b"?")
    encrypted = transport.get_extra_info("sslcontext") is not None
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "{}.{}".format(*parser.http_version),
        "method": parser.method.decode("ascii"),
        "scheme": "https" if encrypted else "http",
        "path": unquote(path.decode("latin-1"), errors="replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": gunicorn_api.lowered(parser),
        "server": address(transport.get_extra_info("sockname")),
        "client": client,
    }


def answer_bytes(
    version: Version, status: int, headers: Headers, connection: bytes, date: bytes, body: bytes
) -> bytes:
    """Return a whole answer as it is sent.

    `connection` is CLOSE, KEEP or empty, `date` the value of the Date header.
    """
    lines = b"%b: %b\r\n" * len(headers) % tuple(chain.from_iterable(headers))
    status_line = _STATUS_LINES[version, status]
    return b"%b%b%bDate: %b\r\n\r\n%b" % (status_line, lines, connection, date, body)


def address(found: Any) -> tuple[str, int] | None:
    """Return host and port of a socket's address; None of a Unix socket's."""
    return (found[0], found[1]) if isinstance(found, tuple) else None
