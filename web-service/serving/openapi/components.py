"""The components of the OpenAPI document: records, answers, problems, headers."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from scoring.artifact.calibration import LEAST, MOST
from scoring.engine import Predictors
from scoring.errors import FieldError, InvalidRecords, Overloaded, RequestError, Unauthorised
from scoring.intervals import ENDS, PARAMETER
from scoring.models import Model
from scoring.predictor import Predictor
from serving.fields import example, record_schema
from serving.http.problems import MEDIA_TYPE, SERVER_ERROR, problem

Schema = dict[str, Any]

_log = logging.getLogger(__name__)

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
    "WWW-Authenticate": {
        "description": "how an API key is sent",
        "schema": {"type": "string"},
    },
}

PARAMETERS: Final[dict[str, Schema]] = {
    "explain": {
        "name": "explain",
        "in": "query",
        "description": "add what moved the prediction: the contribution of each feature",
        "schema": {"type": "boolean", "default": False},
    },
    "interval": {
        "name": PARAMETER,
        "in": "query",
        "description": "add the two numbers between which this share of the truths lies, as "
        "`duration_low` and `duration_high` (0.9, say); of models that predict a number and were "
        "calibrated",
        # no example: Swagger UI would send it with every request, also to models without intervals
        "schema": {"type": "number", "minimum": LEAST, "maximum": MOST},
    },
    "request_id": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "an id of yours, which the answer and the log will carry",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}$"},
    },
}

# The ways that a key may come, as `auth.presented` reads them.
SECURITY_SCHEMES: Final[dict[str, Schema]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key of this service"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "the API key as the password"},
}


def _request_errors(kind: type[RequestError] = RequestError) -> Iterator[type[RequestError]]:
    for error in kind.__subclasses__():
        yield error
        yield from _request_errors(error)


def _meanings() -> dict[int, list[str]]:
    """Return what each error status may mean.

    What Flask itself refuses or fails at, then the errors of ours.
    """
    meanings = {
        HTTPStatus.NOT_FOUND: ["The address is not found."],
        HTTPStatus.METHOD_NOT_ALLOWED: ["The address takes another method."],
        HTTPStatus.INTERNAL_SERVER_ERROR: [SERVER_ERROR],
    }
    found = {int(status): texts for status, texts in meanings.items()}
    for error in _request_errors():
        text = " ".join((error.__doc__ or error.__name__).split())
        found.setdefault(error.status, []).append(text)
    return dict(sorted(found.items()))


PROBLEMS: Final = _meanings()

_VALUE: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}
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
        "class": {"type": "string", "description": "of several classes, the one explained"},
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
    """Return the name of a model's component: `RideRecord`."""
    return "".join(word.capitalize() for word in model.name.split("_")) + what


def ref(name: str) -> Schema:
    """Return a reference to a component of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(predictors: Predictors) -> dict[str, Schema]:
    """Return the schemas of every served model and of what they share."""
    found: dict[str, Schema] = {
        "Problem": _PROBLEM,
        "FieldError": _FIELD_ERROR,
        "Explanation": _EXPLANATION,
        "Contribution": _CONTRIBUTION,
    }
    for predictor in predictors:
        model = predictor.model
        # parts of a record are named after its model: two may have a part of the same name
        prefix = schema_name(model, "")
        record = record_schema(model, f"#/components/schemas/{prefix}{{model}}")
        found |= {prefix + name: part for name, part in record.pop("$defs", {}).items()}
        name = schema_name(model, "Record")
        found[name] = record | {"title": name, "examples": [example(model)]}
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
    """Return what the service answers to the model's example.

    Nothing where the model fails at it: the document is every model's.
    """
    try:
        [answer] = predictor.answers([predictor.reader.one(example(predictor.model))])
    except Exception:  # noqa: BLE001  # whatever it is, it is that model's
        _log.exception("model '%s' does not answer its own example", predictor.model.name)
        return {}
    return {**answer, "model_version": predictor.version}


def responses() -> dict[str, Schema]:
    """Return the answers that are errors, by status, as `components/responses` names them."""
    return {
        f"Problem{status}": _problem_response(status, texts) for status, texts in PROBLEMS.items()
    }


def _prediction(predictor: Predictor, *, version: bool = True) -> Schema:
    """Return the schema of an answer, whose keys and types are those of the model's code."""
    answer = predictor.model.some_answer()
    properties: dict[str, Schema] = {}
    for name, value in answer.items():
        if isinstance(value, bool):
            threshold = f"{predictor.manifest.threshold:g}"
            described: Schema = {
                "type": "boolean",
                "description": f"probability is at least {threshold}",
            }
        elif isinstance(value, dict):
            described = {
                "type": "object",
                "description": "by class",
                "required": list(value),
                "properties": {key: {"type": "number"} for key in value},
            }
        elif isinstance(value, str):
            described = {"type": "string"}
            if value in predictor.model.classes:
                described["enum"] = list(predictor.model.classes)
        else:
            described = {"type": "number", "description": f"in {predictor.model.unit}"}
        properties[name] = described
    numbers = [name for name, described in properties.items() if described["type"] == "number"]
    if version:
        properties["model_version"] = {"type": "string", "examples": [predictor.version]}
    required = list(properties)
    properties["unseen"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "features whose value training never saw",
    }
    properties["beyond"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "fields whose number lies beyond those of the training",
    }
    properties["explanation"] = ref("Explanation")
    if predictor.manifest.calibration is not None:
        for name, end in itertools.product(numbers, ENDS):
            properties[f"{name}_{end}"] = {
                "type": "number",
                "description": f"the interval's {end} end, where `{PARAMETER}` asks for it",
            }
    found: Schema = {"type": "object", "required": required, "properties": properties}
    return found | {"examples": [example_answer(predictor)]} if version else found


def _problem_response(status: int, meanings: list[str]) -> Schema:
    example = problem(status, meanings[-1])
    if status == InvalidRecords.status:
        line = FieldError("trip_distance", "expected a number from 0 to 100, got a text")
        example |= {"errors": [line._asdict()]}
    headers = {"X-Request-ID", "Model-Version"}
    if status == Overloaded.status:
        headers.add("Retry-After")
    if status == Unauthorised.status:
        headers.add("WWW-Authenticate")
    return {
        "description": " ".join(meanings),
        "headers": header_refs(*sorted(headers)),
        "content": {MEDIA_TYPE: {"schema": ref("Problem"), "example": example}},
    }


def header_refs(*names: str) -> Schema:
    """Return references to components of HEADERS."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
