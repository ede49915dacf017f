"""Where a request ends: what the parser lets through and we do not.

Two servers that read one stream of bytes differently can be made to see different requests in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gunicorn.asgi.parser import ParseError

_LENGTH_DIGITS: Final = 18


def check(headers: Mapping[bytes, bytes], *, chunked: bool) -> None:
    """Raises ParseError where the end of a body cannot be told from its `headers`."""
    if not chunked and b"transfer-encoding" in headers:
        # where such a body ends, and the next request begins, is anyone's guess
        raise ParseError("a Transfer-Encoding that does not end in chunked")
    if len(headers.get(b"content-length", b"")) > _LENGTH_DIGITS:
        raise ParseError("a Content-Length that no body has")  # gunicorn_h1c 0.6.9 overflows


def is_strict(head: bytes) -> bool:
    """Says whether every line of a head ends as it must. The parser also takes a bare line feed,
    and lines that go on in the next; not every proxy before us reads those in the same way."""
    head = head.lstrip(b"\r\n")
    end = head.find(b"\r\n\r\n")
    folded = head.find(b"\n ", 0, end) >= 0 or head.find(b"\n\t", 0, end) >= 0
    return end > 0 and not folded and head.count(b"\n", 0, end) == head.count(b"\r\n", 0, end)
