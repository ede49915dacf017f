"""The Open Inference Protocol (V2) over HTTP/JSON, below /v2: any client of that protocol can ask.

Its errors are ours, with the member `error` beside: there the protocol's clients look for the text.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, current_app, g, request

from scoring import __version__
from scoring.api import problems
from scoring.api.body import json_body
from scoring.errors import RequestError, UnknownModel, UnsupportedMedia
from scoring.jsontext import decode, encode
from scoring.predictor import Predictor
from scoring.protocols import tensors
from scoring.service import Predictors, answer_values

_PREFIX: Final = "/v2/models/<name>"
_ERRORS_TOLD: Final = 5  # in the one line that `error` is


def blueprint(predictors: Predictors, *, max_body_bytes: int, max_records: int) -> Blueprint:
    """Gives the protocol's routes."""
    routes = Blueprint("inference", __name__)

    def asked(name: str, version: str | None) -> Predictor:
        predictor = predictors.get(name)
        g.version = predictor.version
        if version not in (None, predictor.version):
            raise UnknownModel(f"model '{name}' is served in version {predictor.version} alone")
        return predictor

    @routes.get("/v2")
    def server() -> Response:
        return _json({"name": "prediction-service", "version": __version__, "extensions": []})

    @routes.get("/v2/health/live")
    def live() -> Response:
        return _json({"live": True})

    @routes.get("/v2/health/ready")
    def ready() -> Response:
        return _json({"ready": True})  # else the service would not have started

    @routes.get(_PREFIX, defaults={"version": None})
    @routes.get(f"{_PREFIX}/versions/<version>")
    def model(name: str, version: str | None) -> Response:
        predictor = asked(name, version)
        return _json(tensors.metadata(predictor.model, [predictor.version]))

    @routes.get(f"{_PREFIX}/ready", defaults={"version": None})
    @routes.get(f"{_PREFIX}/versions/<version>/ready")
    def model_ready(name: str, version: str | None) -> Response:
        return _json({"name": asked(name, version).model.name, "ready": True})

    @routes.post(f"{_PREFIX}/infer", defaults={"version": None})
    @routes.post(f"{_PREFIX}/versions/<version>/infer")
    def infer(name: str, version: str | None) -> Response:
        predictor = asked(name, version)
        if "Inference-Header-Content-Length" in request.headers:
            raise UnsupportedMedia(
                "tensors are taken as JSON alone, not by the binary data extension (in "
                "tritonclient, set_data_from_numpy(..., binary_data=False))"
            )
        # the protocol's own clients declare no media type
        sent = decode(json_body(request, max_body_bytes, undeclared=True))
        values = tensors.values(sent, predictor.model, max_records=max_records)
        answers = answer_values(
            predictor, values, max_records=max_records,
            witness=current_app.extensions["witness"], request_id=g.request_id,
        )  # fmt: skip
        return _json(tensors.answer(sent, answers, predictor.model, predictor.version))

    routes.register_error_handler(RequestError, _refused)
    return routes


def _json(value: Any) -> Response:
    return Response(encode(value), mimetype="application/json")


def _refused(error: RequestError) -> Response:
    told = [f"{line.field}: {line.problem}" for line in error.errors[:_ERRORS_TOLD]]
    more = len(error.errors) - len(told)
    text = "; ".join([error.detail, *told, *([f"and {more} more"] if more else [])])
    return problems.refusal(error, error=text)
