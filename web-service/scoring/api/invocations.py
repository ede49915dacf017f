"""POST /invocations, as MLflow's scoring server and SageMaker's containers have it, answered by the
default model; and the two addresses beside it that their clients ask."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, g, request

from scoring import __version__
from scoring.api.body import csv_body, json_body
from scoring.errors import UnsupportedMedia
from scoring.jsontext import decode, encode
from scoring.protocols import csvtext, mlflow
from scoring.service import Predictors, answer_values


def blueprint(predictors: Predictors, *, max_body_bytes: int, max_records: int) -> Blueprint:
    """Gives the routes of MLflow's protocol; GET /ping, the same there and here, is elsewhere."""
    routes = Blueprint("invocations", __name__)

    @routes.post("/invocations")
    def invoke() -> Response:
        predictor = predictors.default
        g.version = predictor.version
        output = mlflow.OUTPUTS[0]
        if request.mimetype == "text/csv":
            body = csv_body(request, max_body_bytes)
            values = csvtext.values(body, predictor.model, max_records=max_records)
        elif request.is_json:
            sent: Any = decode(json_body(request, max_body_bytes))
            output = mlflow.output(sent)
            values = mlflow.values(sent, predictor.model, max_records=max_records)
        else:
            raise UnsupportedMedia("send JSON (Content-Type: application/json) or CSV (text/csv)")
        answers = answer_values(
            predictor, values, max_records=max_records,
            witness=current_app.extensions["witness"], request_id=g.request_id,
        )  # fmt: skip
        return Response(encode(mlflow.answer(answers, output)), mimetype="application/json")

    @routes.get("/version")
    def version() -> Response:
        return Response(__version__, mimetype="text/plain")

    @routes.get("/health")
    def health() -> Response:
        return Response("\n", mimetype="text/plain")

    return routes
