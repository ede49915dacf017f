"""POST /predict and POST /predict/<model>: the service's own protocol."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from scoring.errors import FieldError, InvalidQuery
from scoring.predictor import Predictor
from serving.fields import example
from serving.http.body import json_body
from serving.http.interval import queried
from serving.http.reply import JSON, reply
from serving.openapi.components import Schema, example_answer, ref, schema_name
from serving.openapi.operations import Operations, parameters_of, post
from serving.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the routes that predict."""
    routes = Blueprint("predictions", __name__)
    limits, predictors = services.settings.limits, services.predictors

    @routes.post("/predict", defaults={"name": None})
    @routes.post("/predict/<name>")
    def answer(name: str | None) -> Response:
        predictor = predictors.get(name)
        # most requests have no query: for them this is one look-up, and no query is parsed
        asked = bool(request.environ.get("QUERY_STRING"))
        made = reply(
            predictor, json_body(request, limits.max_body_bytes),
            limits=limits, explain=asked and _explain(), interval=queried() if asked else None,
            observer=services.observer, caller=g.caller,
        )  # fmt: skip
        g.version = made.version
        return Response(made.body, made.status, content_type=made.media_type)

    return routes


def operations(services: Services) -> Operations:
    """Return the OpenAPI operations: the default model's, and one for each model."""
    predictors, most = services.predictors, services.settings.max_records
    found = {"/predict": _operation(predictors.default, most, default=True)}
    for predictor in predictors:
        path = f"/predict/{predictor.model.name}"
        found[path] = _operation(predictor, most, default=False)
    return found


def _explain() -> bool:
    """Return what the query's `explain` says; other parameters are ignored, as other keys are."""
    value = request.args.get("explain", "false").lower()
    if value not in {"true", "false"}:
        line = FieldError("explain", "expected true or false")
        raise InvalidQuery("the query is not valid", (line,))
    return value == "true"


def _operation(predictor: Predictor, max_records: int, *, default: bool) -> Schema:
    model = predictor.model
    record = ref(schema_name(model, "Record"))
    one, answer = example(model), example_answer(predictor)
    array = {"type": "array", "maxItems": max_records, "items": record}
    sent = {
        "schema": {"oneOf": [record, array]},
        "examples": {
            "one": {"summary": "one record", "value": one},
            "array": {"summary": "several records", "value": [one]},
        },
    }
    answers = [ref(schema_name(model, name)) for name in ("Prediction", "Predictions")]
    answered: Schema = {"schema": {"oneOf": answers}}
    if answer:
        without_version = {k: v for k, v in answer.items() if k != "model_version"}
        many = {"predictions": [without_version], "model_version": predictor.version}
        answered["examples"] = {
            "one": {"summary": "of one record", "value": answer},
            "array": {"summary": "of an array", "value": many},
        }
    return post(
        "predict" if default else f"predict_{model.name}",
        "predictions",
        summary=f"{model.title} (the default model)" if default else model.title,
        description=f"{model.intended_use}\n\nSend one record as an object, or up to {max_records} "
        "as an array, which one version of the model answers in order. Keys that the record does "
        "not have are ignored.".strip(),
        sent={JSON: sent},
        answered=answered,
        meaning=f"The prediction, in {model.unit}.",
        parameters=parameters_of(predictor, "explain", "interval", "request_id"),
    )
