"""Servers that answer a constant: what is left when a service does nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response

ANSWER = b'{"duration":37.4}'
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))]
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS]

flask_constant = Flask("constant")


@flask_constant.post("/predict")
def constant() -> Response:
    """Answer without a look at the request."""
    return Response(ANSWER, mimetype="application/json")


def wsgi_constant(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Read the body and answer (WSGI)."""
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", _HEADERS)
    return [ANSWER]


async def asgi_constant(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body and answer (ASGI)."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _RAW_HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
