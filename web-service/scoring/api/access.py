"""Who may ask: API keys before every route, and the pages of other sites where they are listed."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, g, request

from scoring.keys import Keys

_METHODS: Final = "GET, HEAD, POST"
_MAY_SEND: Final = "Authorization, Content-Type, X-API-Key, X-Request-ID, Traceparent"
_MAY_READ: Final = "Model-Version, Retry-After, X-Request-ID"
_PREFLIGHT_S: Final = 600


def init_app(app: Flask, keys: Keys | None, origins: tuple[str, ...]) -> None:
    """Asks for a key before every route where `keys` are given, and lets pages of `origins`
    (`https://shop.example`, or `*` for all) read what they are answered."""

    @app.before_request
    def admit() -> Response | None:
        if origins and _is_preflight():  # a browser's question, which carries no key
            return Response(status=204)
        if keys:
            given = request.headers
            g.key = keys.admit(request.path, given.get("Authorization"), given.get("X-API-Key"))
        return None

    @app.after_request
    def allow(response: Response) -> Response:
        if not origins:
            return response
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is None or not ({origin, "*"} & set(origins)):
            return response
        response.headers["Access-Control-Allow-Origin"] = origin
        if _is_preflight():
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _MAY_SEND
            response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_S)
        else:
            response.headers["Access-Control-Expose-Headers"] = _MAY_READ
        return response


def _is_preflight() -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
