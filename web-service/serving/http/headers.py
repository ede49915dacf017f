"""The headers that every answer carries, whoever made it.

Request id, model version, and what lets the pages of other sites read it (CORS).
"""

from __future__ import annotations

import random
import re
from typing import Final

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}")

_METHODS: Final = "GET, HEAD, POST"
_MAY_SEND: Final = "Authorization, Content-Type, X-API-Key, X-Request-ID, Traceparent"
_MAY_READ: Final = "Model-Version, Retry-After, X-Request-ID"
_PREFLIGHT_SECONDS: Final = 600

Headers = list[tuple[str, str]]


def request_id(given: str | None) -> str:
    """Return the caller's request id if it is well formed, else a new one.

    Well formed are 1 to 128 letters, digits and `._~:/+=@-`, the first a letter or digit.
    """
    if given and _WELL_FORMED.fullmatch(given):
        return given
    return f"{random.getrandbits(128):032x}"  # it must differ, nobody need fail to guess it


def common(
    request_id: str, version: str, *, origin: str | None = None, origins: tuple[str, ...] = ()
) -> Headers:
    """Return what every answer carries beside what describes its body.

    `version` is the model's, `origin` the request's Origin header, `origins` the sites that
    CORS_ORIGINS names.
    """
    return [
        ("X-Request-ID", request_id),
        ("Model-Version", version),
        ("X-Content-Type-Options", "nosniff"),
        *cross_origin(origin, origins),
    ]


def cross_origin(
    origin: str | None, origins: tuple[str, ...], *, preflight: bool = False
) -> Headers:
    """Return the headers that let a page of the site `origin` read an answer.

    Those of a browser's `preflight` question let it send a request. Without a list of sites there
    are none.
    """
    if not origins:
        return []
    headers = [("Vary", "Origin")]
    if origin is None or not {origin, "*"} & set(origins):
        return headers
    headers.append(("Access-Control-Allow-Origin", origin))
    if not preflight:
        return [*headers, ("Access-Control-Expose-Headers", _MAY_READ)]
    return [
        *headers,
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", _MAY_SEND),
        ("Access-Control-Max-Age", str(_PREFLIGHT_SECONDS)),
    ]
