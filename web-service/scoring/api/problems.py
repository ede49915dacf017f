"""Every error, whatever its cause, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from scoring.errors import RequestError, Unauthorised
from scoring.jsontext import encode

MEDIA_TYPE: Final = "application/problem+json"
CHALLENGE: Final = 'Bearer, Basic realm="prediction-service"'  # the second makes browsers ask
SERVER_ERROR: Final = "The service failed; its log says why, under this answer's X-Request-ID."

_log = logging.getLogger(__name__)


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """Gives the members of a problem document. The status says all about the kind of problem, so
    its type is `about:blank` and its title the status's phrase, as the RFC has it."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


def init_app(app: Flask) -> None:
    """Makes problem documents of all errors that reach `app`."""

    def http_error(error: HTTPException) -> Response:
        if error.response is not None or error.code is None:
            return _server_error(error)  # nothing here raises a finished response or a redirect
        if error.code == HTTPStatus.NOT_FOUND:
            detail = "there is no such page; POST /predict and GET /models are two that there are"
        elif error.code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
            detail = f"{request.method[:20]} is not for this page; it takes {allowed}"
        elif error.code == HTTPStatus.BAD_REQUEST:
            detail = "the request cannot be understood"
        else:
            detail = error.description or ""
        response = _answer(error.code, detail)
        for name, value in error.get_headers():
            if name.lower() not in {"content-type", "content-length"}:
                response.headers[name] = value
        return response

    app.register_error_handler(RequestError, refusal)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, _server_error)


def _answer(status: int, detail: str, **more: Any) -> Response:
    return Response(encode(problem(status, detail, **more)), status, mimetype=MEDIA_TYPE)


def document(error: RequestError, /, **more: Any) -> bytes:
    """Gives the problem document of an error of the caller's, with the members `more`."""
    if error.errors:
        more["errors"] = [line._asdict() for line in error.errors]
    return encode(problem(error.status, error.detail, **more))


def refusal(error: RequestError, /, **more: Any) -> Response:
    """Gives the answer to an error of the caller's, its document with the members `more`."""
    response = Response(document(error, **more), error.status, mimetype=MEDIA_TYPE)
    if error.retry_after_s:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorised):
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def _server_error(error: Exception) -> Response:
    where = (request.method, request.path, g.request_id)
    extra = {"request_id": g.request_id}
    _log.error("%s %r failed, request %s", *where, exc_info=error, extra=extra)
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_ERROR)


def of_no_request(status: int, message: str) -> tuple[int, bytes]:
    """Gives status and problem document for what is no HTTP request (a malformed request line, too
    large a header), which a server answers before there is a request to give to Flask.

    A 501 for a transfer coding that nobody knows becomes a 400: the fault is the caller's.
    """
    if status == HTTPStatus.NOT_IMPLEMENTED:
        status = HTTPStatus.BAD_REQUEST
    failed = status == HTTPStatus.INTERNAL_SERVER_ERROR
    return status, encode(problem(status, SERVER_ERROR if failed else _printable(message)))


def _printable(message: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in message)[:200] or "no HTTP request"
