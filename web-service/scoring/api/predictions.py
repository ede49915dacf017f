"""POST /predict and POST /predict/<model>."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, Response, current_app, g, request

from scoring.api import problems
from scoring.api.body import json_body
from scoring.errors import FieldError, InvalidQuery, RequestError
from scoring.jsontext import encode
from scoring.predictor import Predictor
from scoring.service import Predictors, predict
from scoring.witness import Witness

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
    witness: Witness | None = None,
    request_id: str = "",
) -> Reply:
    """Gives the answer to a JSON body, or the problem with it. Only a fault of ours raises."""
    try:
        result = predict(
            predictor, body, max_records=max_records, explain=explain,
            witness=witness, request_id=request_id,
        )  # fmt: skip
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
        found = reply(
            predictor, body, max_records=max_records, explain=explain,
            witness=current_app.extensions["witness"], request_id=g.request_id,
        )  # fmt: skip
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
