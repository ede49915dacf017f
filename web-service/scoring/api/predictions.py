"""POST /predict and POST /predict/<model>."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scoring.api.body import json_body
from scoring.errors import FieldError, InvalidQuery
from scoring.jsontext import encode
from scoring.service import Predictors, predict


def blueprint(predictors: Predictors, *, max_body_bytes: int, max_records: int) -> Blueprint:
    """Gives the routes that predict."""
    routes = Blueprint("predictions", __name__)

    @routes.post("/predict", defaults={"name": None})
    @routes.post("/predict/<name>")
    def answer(name: str | None) -> Response:
        predictor = predictors.get(name)
        # the plain path pays one look-up for this, and parses no query
        explain = bool(request.environ.get("QUERY_STRING")) and _explain()
        body = json_body(request, max_body_bytes)
        result = predict(predictor, body, max_records=max_records, explain=explain)
        return Response(
            encode(result),
            mimetype="application/json",
            headers={"Model-Version": predictor.version},
        )

    return routes


def _explain() -> bool:
    """Gives what the query's `explain` says; other parameters are ignored, as other keys are."""
    given = request.args.get("explain", "false").lower()
    if given not in {"true", "false"}:
        line = FieldError("explain", "expected true or false")
        raise InvalidQuery("the query is not valid", (line,))
    return given == "true"
