"""Every error, whatever its cause, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from scoring.errors import RequestError, Unauthorised
from scoring.values.strict_json import encode

MEDIA_TYPE: Final = "application/problem+json"
CHALLENGE: Final = 'Bearer, Basic realm="prediction-service"'  # the second makes browsers ask
NOT_FOUND: Final = "not found; try POST /predict or GET /models"
SERVER_ERROR: Final = "The service failed; its log says why, under this answer's X-Request-ID."


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """Return the members of a problem document.

    The status says all about the kind of problem, so its type is `about:blank` and its title the
    status's phrase, as the RFC has it.
    """
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


def document(error: RequestError, /, **more: Any) -> bytes:
    """Return the problem document of an error of the caller's, with the members `more`."""
    if error.errors:
        more["errors"] = [line._asdict() for line in error.errors]
    return encode(problem(error.status, error.detail, **more))


def headers(error: RequestError) -> list[tuple[str, str]]:
    """Return the headers that belong to an error: when to try again, how to send a key."""
    found = []
    if error.retry_after_s:
        found.append(("Retry-After", str(error.retry_after_s)))
    if isinstance(error, Unauthorised):
        found.append(("WWW-Authenticate", CHALLENGE))
    return found


def malformed_request(status: int, message: str) -> tuple[int, bytes]:
    """Return status and problem document for bytes that are not an HTTP request.

    Such are a malformed request line or too large a header: the server answers them before Flask
    sees a request.

    A 501 for an unknown transfer coding becomes a 400: the fault is the caller's.
    """
    if status == HTTPStatus.NOT_IMPLEMENTED:
        status = HTTPStatus.BAD_REQUEST
    failed = status == HTTPStatus.INTERNAL_SERVER_ERROR
    return status, encode(problem(status, SERVER_ERROR if failed else _printable(message)))


def _printable(message: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in message)[:200]
    return text or "this is not an HTTP request"
