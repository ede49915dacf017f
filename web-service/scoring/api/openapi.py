"""GET /openapi.json: the service described for programs."""

from __future__ import annotations

from flask import Blueprint, Response

from scoring.api.assets import revalidated
from scoring.jsontext import encode
from scoring.openapi import document
from scoring.service import Predictors


def blueprint(predictors: Predictors, *, max_records: int, metrics: bool) -> Blueprint:
    """Gives the route of the OpenAPI document. It is made once for each set of served versions,
    when it is first asked for."""
    routes = Blueprint("openapi", __name__)
    made: dict[tuple[str, ...], bytes] = {}

    @routes.get("/openapi.json")
    def openapi() -> Response:
        versions = tuple(predictor.version for predictor in predictors)
        body = made.get(versions)
        if body is None:
            body = encode(document(predictors, max_records=max_records, metrics=metrics))
            made.clear()
            made[versions] = body
        return revalidated(body, "application/json")

    return routes
