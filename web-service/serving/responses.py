"""Flask's responses as all our routes make them."""

from __future__ import annotations

from typing import Any

from flask import Response

from scoring.errors import RequestError
from scoring.values.strict_json import encode
from serving.http import problems
from serving.http.reply import JSON


def json_response(value: Any, status: int = 200) -> Response:
    """Return `value` as JSON."""
    return Response(encode(value), status, content_type=JSON)


def refusal(error: RequestError, /, **more: Any) -> Response:
    """Return the answer to an error of the caller's, its document with the members `more`."""
    body = problems.document(error, **more)
    media_type = problems.MEDIA_TYPE
    return Response(body, error.status, problems.headers(error), content_type=media_type)
