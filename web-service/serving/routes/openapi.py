"""GET /openapi.json: the service described for programs."""

from __future__ import annotations

from flask import Blueprint, Response

from scoring.values.strict_json import encode
from serving.http.reply import JSON
from serving.openapi.document import document
from serving.pages.assets import revalidated
from serving.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the route of the OpenAPI document.

    It is made once for each set of served versions, when it is first asked for.
    """
    routes = Blueprint("openapi", __name__)
    made: dict[tuple[str, ...], bytes] = {}

    @routes.get("/openapi.json")
    def openapi() -> Response:
        versions = tuple(predictor.version for predictor in services.predictors)
        body = made.get(versions)
        if body is None:
            body = encode(document(services))
            made.clear()
            made[versions] = body
        return revalidated(body, JSON)

    return routes
