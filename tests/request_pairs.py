"""The pairs of files in `tests/requests/`: their notation (see its README.md), and what no answer
to any of them may hold."""

from __future__ import annotations

import re
from pathlib import Path

CASES = {file.stem: file for file in sorted((Path(__file__).parent / "requests").glob("*.http"))}

# what an answer must never tell about the machine that gives it
SECRETS = re.compile(
    r"traceback|<html|<!doctype|/app\b|site-packages|\.py\b|gunicorn|werkzeug", re.I
)

_NOTATION = re.compile(rb"\{\{(?:bytes:([0-9a-f ]*)|repeat:(.*?):(\d+))\}\}", re.S)


def expand(text: bytes) -> bytes:
    """Return `text` with its {{bytes:...}} and {{repeat:...}} written out."""

    def written_out(match: re.Match[bytes]) -> bytes:
        digits, part, times = match.groups()
        if part is None:
            return bytes.fromhex(digits.decode())
        return b"".join(part.replace(b"#", b"%d" % number) for number in range(int(times)))

    return _NOTATION.sub(written_out, text)


def raw_requests(text: bytes) -> list[bytes]:
    """Return the bytes to send; where there are several, an answer is awaited in between."""
    head, blank, body = text.removesuffix(b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    *sent, last = [expand(part) for part in body.split(b"{{answer}}")]
    if blank and not re.search(rb"^(content-length|transfer-encoding)\b", head, re.I | re.M):
        head += b"\r\nContent-Length: %d" % len(last)
    first, *rest = [*sent, last]
    return [expand(head) + b"\r\n\r\n" + first, *rest]
