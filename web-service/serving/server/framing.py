"""Where a request ends: what the parser lets through and we do not.

Two servers that read one stream of bytes differently can be made to see different requests in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from serving.server.gunicorn_api import ParseError

_LENGTH_DIGITS: Final = 18
_SPACE_BEFORE_COLON: Final = re.compile(rb"\n[^:\r\n]*[ \t]:")


def check(head: bytes, headers: Mapping[bytes, bytes], *, chunked: bool) -> None:
    """Prove that everybody sees the same end of a request.

    `head` holds its bytes, and may hold what follows them; the names of its `headers` are in
    lower case. Raises ParseError where its lines or its length can be read in two ways.
    """
    _check_lines(head.lstrip(b"\r\n") if head[0] in b"\r\n" else head)
    if not chunked and b"transfer-encoding" in headers:
        # where such a body ends, and the next request begins, is anyone's guess
        raise ParseError("a Transfer-Encoding that does not end in chunked")
    length = headers.get(b"content-length", b"0")
    if len(length) > _LENGTH_DIGITS or not length.isdigit():
        raise ParseError("a Content-Length that no body has")  # gunicorn_h1c 0.6.9 overflows


def _check_lines(head: bytes) -> None:
    """Refuse lines that our parsers take and some proxies read in another way.

    They are a bare line feed, a line that goes on in the next, and, of the parser in Python, a
    space before the colon.
    """
    end = head.find(b"\r\n\r\n")
    folded = head.find(b"\n ", 0, end) >= 0 or head.find(b"\n\t", 0, end) >= 0
    if end < 0 or folded or head.count(b"\n", 0, end) != head.count(b"\r\n", 0, end):
        raise ParseError("a line of the head is folded, or does not end in CR LF")
    if (b" :" in head or b"\t:" in head) and _SPACE_BEFORE_COLON.search(head, 0, end):
        raise ParseError("a space before the colon of a header")
