"""POST /predict and POST /predict/<model>."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scoring.api.body import json_body
from scoring.jsontext import encode
from scoring.service import Predictors, predict


def blueprint(predictors: Predictors, *, max_body_bytes: int, max_records: int) -> Blueprint:
    """Gives the routes that predict."""
    routes = Blueprint("predictions", __name__)

    @routes.post("/predict", defaults={"name": None})
    @routes.post("/predict/<name>")
    def answer(name: str | None) -> Response:
        predictor = predictors.get(name)
        result = predict(predictor, json_body(request, max_body_bytes), max_records=max_records)
        return Response(
            encode(result),
            mimetype="application/json",
            headers={"Model-Version": predictor.version},
        )

    return routes
