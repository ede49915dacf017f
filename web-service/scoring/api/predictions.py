"""POST /predict and POST /predict/<model>."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, Response, current_app, g, request

from scoring.api import problems
from scoring.api.body import json_body
from scoring.errors import FieldError, InvalidQuery, RequestError
from scoring.jsontext import encode
from scoring.metrics.meter import Meter
from scoring.predictor import Predictor
from scoring.service import Predictors, predict

JSON = "application/json"


class Reply(NamedTuple):
    """What goes back, whichever way the request came."""

    status: int
    media_type: str
    body: bytes
    version: str  # of the model that was asked


def reply(
    predictor: Predictor,
    body: bytes,
    *,
    max_records: int,
    explain: bool = False,
    meter: Meter | None = None,
) -> Reply:
    """Gives the answer to a JSON body, or the problem with it. Only a fault of ours raises."""
    try:
        result = predict(predictor, body, max_records=max_records, explain=explain, meter=meter)
    except RequestError as error:
        return Reply(error.status, problems.MEDIA_TYPE, problems.document(error), predictor.version)
    return Reply(200, JSON, encode(result), predictor.version)


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
        meter = current_app.extensions["metrics"].meter(predictor)
        found = reply(predictor, body, max_records=max_records, explain=explain, meter=meter)
        g.version = found.version
        return Response(found.body, found.status, content_type=found.media_type)

    return routes


def _explain() -> bool:
    """Gives what the query's `explain` says; other parameters are ignored, as other keys are."""
    given = request.args.get("explain", "false").lower()
    if given not in {"true", "false"}:
        line = FieldError("explain", "expected true or false")
        raise InvalidQuery("the query is not valid", (line,))
    return given == "true"
