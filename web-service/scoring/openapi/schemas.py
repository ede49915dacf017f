"""The components of the OpenAPI document: records, answers, problems, headers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from scoring.errors import FieldError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.service import Predictors

Schema = dict[str, Any]

HEADERS: Final[dict[str, Schema]] = {
    "X-Request-ID": {
        "description": "the request's id: the caller's where it sent a well-formed one",
        "schema": {"type": "string"},
    },
    "Model-Version": {
        "description": "version of the model that answered",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "seconds after which to try again",
        "schema": {"type": "integer", "minimum": 0},
    },
}

PARAMETERS: Final[dict[str, Schema]] = {
    "explain": {
        "name": "explain",
        "in": "query",
        "description": "add what moved the prediction: the contribution of each feature",
        "schema": {"type": "boolean", "default": False},
    },
    "request_id": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "an id of yours, which the answer and the log will carry",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}$"},
    },
}

# Every way to fail: what it means, and an example of what is said then.
PROBLEMS: Final[dict[int, tuple[str, str]]] = {
    400: ("The body is no JSON.", "the body is not JSON: Expecting value (line 1, column 1)"),
    404: ("There is no such model or page.", "no model of that name is served"),
    405: ("The page takes another method.", "GET is not for this page; it takes OPTIONS, POST"),
    413: ("Too many bytes or records.", "the body is too large"),
    415: (
        "The body is declared as something other than JSON.",
        "send the record as JSON, with Content-Type: application/json",
    ),
    422: ("JSON, but no valid record: every bad field is named.", "the record is not valid"),
    500: ("The service failed.", "The service failed; its log says why."),
    503: ("Not ready, or overloaded.", "the service is not ready; try again"),
}

_VALUE: Final[Schema] = {"type": ["string", "number", "boolean"]}
_CONTRIBUTION: Final[Schema] = {
    "type": "object",
    "required": ["feature", "value", "contribution"],
    "properties": {
        "feature": {"type": "string"},
        "value": _VALUE | {"description": "the feature's value in this record"},
        "instead_of": _VALUE | {"description": "the usual value that it was compared with"},
        "contribution": {"type": "number", "description": "in the explanation's unit"},
    },
}
_EXPLANATION: Final[Schema] = {
    "type": "object",
    "description": "What moved the prediction, largest first. Where `exact`, `base` and all "
    "contributions add up to `total`; elsewhere `reason` says how to read them.",
    "required": ["method", "exact", "contributions"],
    "properties": {
        "method": {"enum": ["linear", "one field at a time", "none"], "type": "string"},
        "exact": {"type": "boolean"},
        "unit": {"type": "string"},
        "reason": {"type": "string"},
        "base": {"type": "number", "description": "the intercept of a linear model"},
        "contributions": {"type": "array", "items": {"$ref": "#/components/schemas/Contribution"}},
        "total": {"type": "number"},
    },
}
_FIELD_ERROR: Final[Schema] = {
    "type": "object",
    "required": list(FieldError._fields),
    "properties": {
        "field": {"type": "string", "examples": ["trip_distance", "[42].trip_distance"]},
        "problem": {"type": "string", "examples": ["expected a number from 0 to 100, got null"]},
    },
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "Every error, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what happened and what to do"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
    },
}


def schema_name(model: Model, what: str) -> str:
    """Gives the name of a model's component: `RideRecord`."""
    return "".join(word.capitalize() for word in model.name.split("_")) + what


def ref(name: str) -> Schema:
    """Gives a reference to a component of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(predictors: Predictors) -> dict[str, Schema]:
    """Gives the schemas of every served model and of what they share."""
    found: dict[str, Schema] = {
        "Problem": _PROBLEM,
        "FieldError": _FIELD_ERROR,
        "Explanation": _EXPLANATION,
        "Contribution": _CONTRIBUTION,
    }
    for predictor in predictors:
        model = predictor.model
        record = model.record.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= record.pop("$defs", {})
        # its class's name may be that of another model's record
        name = schema_name(model, "Record")
        found[name] = record | {"title": name, "examples": [dict(model.example)]}
        found[schema_name(model, "Prediction")] = _prediction(predictor)
        found[schema_name(model, "Predictions")] = {
            "type": "object",
            "description": "One prediction a record, in the order of the records.",
            "required": ["predictions", "model_version"],
            "properties": {
                "predictions": {
                    "type": "array",
                    "items": _prediction(predictor, version=False),
                },
                "model_version": {"type": "string", "examples": [predictor.version]},
            },
        }
    return found


def example_answer(predictor: Predictor) -> dict[str, Any]:
    """Gives what the service answers to the model's example."""
    [answer] = predictor.answers([predictor.reader.one(predictor.model.example)])
    return {**answer, "model_version": predictor.version}


def responses() -> dict[str, Schema]:
    """Gives the answers that are errors, by status, as `components/responses` names them."""
    return {f"Problem{status}": _problem_response(status) for status in PROBLEMS}


def _prediction(predictor: Predictor, *, version: bool = True) -> Schema:
    """The answer's keys and types are those that the model's code gives."""
    answer = predictor.model.answer(0.5, predictor.manifest.threshold)
    properties: dict[str, Schema] = {}
    for name, value in answer.items():
        if isinstance(value, bool):
            threshold = f"{predictor.manifest.threshold:g}"
            described = {"type": "boolean", "description": f"probability is at least {threshold}"}
        else:
            described = {"type": "number", "description": f"in {predictor.model.unit}"}
        properties[name] = described
    if version:
        properties["model_version"] = {"type": "string", "examples": [predictor.version]}
    required = list(properties)
    properties["unseen"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "features whose value training never saw",
    }
    properties["explanation"] = ref("Explanation")
    found: Schema = {"type": "object", "required": required, "properties": properties}
    return found | {"examples": [example_answer(predictor)]} if version else found


def _problem_response(status: int) -> Schema:
    meaning, detail = PROBLEMS[status]
    title = HTTPStatus(status).phrase
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        problem = "expected a number from 0 to 100, got a text"
        example |= {"errors": [FieldError("trip_distance", problem)._asdict()]}
    headers = {"X-Request-ID", "Model-Version"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.add("Retry-After")
    return {
        "description": meaning,
        "headers": header_refs(*sorted(headers)),
        "content": {"application/problem+json": {"schema": ref("Problem"), "example": example}},
    }


def header_refs(*names: str) -> Schema:
    """Gives references to components of HEADERS."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
