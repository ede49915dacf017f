"""The paths of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from scoring.openapi.schemas import (
    PROBLEMS,
    Schema,
    example_answer,
    header_refs,
    ref,
    schema_name,
)
from scoring.predictor import Predictor
from scoring.service import Predictors

_JSON = "application/json"


def paths(predictors: Predictors, max_records: int, *, metrics: bool) -> dict[str, Schema]:
    """Gives every path that programs may rely on."""
    found = {"/predict": _predict(predictors.default, max_records, default=True)}
    for predictor in predictors:
        path = f"/predict/{predictor.model.name}"
        found[path] = _predict(predictor, max_records, default=False)
    names = [predictor.model.name for predictor in predictors]
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": names},
    }
    if metrics:
        summary = "What is counted, for Prometheus"
        found["/metrics"] = get("metrics", "health", summary, 500, text="# HELP ...")
    return found | {
        "/models": get("list_models", "models", "What is served", 500),
        "/models/{name}": {
            "parameters": [name],
            **get("get_model", "models", "One model: version, metrics, record, example", 404, 500),
        },
        "/ping": get("ping", "health", "PONG", 500, text="PONG"),
        "/health/live": get("live", "health", "Whether the process answers", 500),
        "/health/ready": get("ready", "health", "Whether it can predict", 500, 503),
    }


def _predict(predictor: Predictor, max_records: int, *, default: bool) -> Schema:
    model = predictor.model
    record, prediction = schema_name(model, "Record"), schema_name(model, "Prediction")
    example, answer = dict(model.example), example_answer(predictor)
    without_version = {k: v for k, v in answer.items() if k != "model_version"}
    many = {"predictions": [without_version], "model_version": predictor.version}
    body = {
        "oneOf": [
            ref(record),
            {"type": "array", "maxItems": max_records, "items": ref(record)},
        ]
    }
    operation: dict[str, Any] = {
        "operationId": "predict" if default else f"predict_{model.name}",
        "tags": ["predictions"],
        "summary": f"{model.title} (the default model)" if default else model.title,
        "description": f"{model.intended_use}\n\nSend one record as an object, or up to "
        f"{max_records} as an array, which one version of the model answers in order. Other keys "
        "than the record's are ignored.".strip(),
        "parameters": [
            {"$ref": "#/components/parameters/explain"},
            {"$ref": "#/components/parameters/request_id"},
        ],
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {
                    "schema": body,
                    "examples": {
                        "one": {"summary": "one record", "value": example},
                        "array": {"summary": "several records", "value": [example]},
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": f"The prediction, in {model.unit}.",
                "headers": header_refs("Model-Version", "X-Request-ID"),
                "content": {
                    _JSON: {
                        "schema": {
                            "oneOf": [ref(prediction), ref(schema_name(model, "Predictions"))]
                        },
                        "examples": {
                            "one": {"summary": "of one record", "value": answer},
                            "array": {"summary": "of an array", "value": many},
                        },
                    }
                },
            },
            **problems(*PROBLEMS),
        },
    }
    return {"post": operation}


def get(name: str, tag: str, summary: str, *statuses: int, text: str = "") -> Schema:
    """Gives the path item of a page that is only read."""
    content = (
        {"text/plain": {"schema": {"type": "string"}, "example": text}}
        if text
        else {_JSON: {"schema": {"type": "object", "additionalProperties": True}}}
    )
    answer = {
        "description": summary,
        "headers": header_refs("Model-Version", "X-Request-ID"),
        "content": content,
    }
    operation = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": answer, **problems(*statuses)},
    }
    return {"get": operation}


def problems(*statuses: int) -> Schema:
    """Gives references to the answers that are errors, by status."""
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}
