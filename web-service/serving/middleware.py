"""What happens around every request that Flask answers.

Request id, API key, the headers of every answer, and problem documents for all errors.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from scoring.errors import RequestError
from scoring.observers.observer import Caller
from scoring.values.strict_json import encode
from serving.http import headers, problems
from serving.http.route_info import ENVIRON_KEY, RouteInfo
from serving.metrics.http import OTHER
from serving.responses import refusal
from serving.services import Services

_log = logging.getLogger(__name__)


def init_app(app: Flask, services: Services) -> None:
    """Put request ids, keys, common headers and problem documents around every route.

    The version in the headers is that of the model that answered or that the route names, else the
    default model's.
    """
    predictors, keys, origins = services.predictors, services.keys, services.settings.cors_origins

    @app.before_request
    def identify() -> None:
        g.request_id = headers.request_id(request.headers.get("X-Request-ID"))
        g.caller = Caller(g.request_id)

    @app.before_request
    def admit() -> Response | None:
        if origins and _is_preflight():  # a browser's question, which carries no key
            return Response(status=HTTPStatus.NO_CONTENT)
        if keys:
            sent = request.headers
            key = keys.admit(request.path, sent.get("Authorization"), sent.get("X-API-Key"))
            g.caller = Caller(g.request_id, key)
        return None

    @app.after_request
    def complete(response: Response) -> Response:
        named = request.view_args or {}
        served = {predictor.model.name: predictor for predictor in predictors}
        predictor = served.get(named.get("name", ""), predictors.default)
        version = g.get("version", predictor.version)
        for header, value in headers.common(g.request_id, version):
            response.headers[header] = value
        origin = request.headers.get("Origin")
        for header, value in headers.cross_origin(origin, origins, preflight=_is_preflight()):
            if header == "Vary":
                response.vary.add(value)
            else:
                response.headers[header] = value
        route = request.url_rule.rule if request.url_rule else OTHER
        info = RouteInfo(route, key=g.caller.key)
        if "name" in named:
            info = info._replace(model=predictor.model.name, version=version)
        request.environ[ENVIRON_KEY] = info
        return response

    app.register_error_handler(RequestError, refusal)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _server_error)


def _is_preflight() -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def _http_error(error: HTTPException) -> Response:
    if error.response is not None or error.code is None:
        return _server_error(error)  # nothing here raises a finished response or a redirect
    if error.code == HTTPStatus.NOT_FOUND:
        detail = problems.NOT_FOUND
    elif error.code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        detail = f"{request.method[:20]} is not allowed here; this address takes {allowed}"
    elif error.code == HTTPStatus.BAD_REQUEST:
        detail = "the request cannot be understood"
    else:
        detail = error.description or ""
    response = _problem(error.code, detail)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _server_error(error: Exception) -> Response:
    where = (request.method, request.path, g.request_id)
    extra = {"request_id": g.request_id}
    _log.error("%s %r failed, request %s", *where, exc_info=error, extra=extra)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, problems.SERVER_ERROR)


def _problem(status: int, detail: str) -> Response:
    body = encode(problems.problem(status, detail))
    return Response(body, status, content_type=problems.MEDIA_TYPE)
