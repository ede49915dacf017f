"""POST /feedback/<model>: what came true, for the prediction log."""

from __future__ import annotations

import math
from typing import Any, Final

from flask import Blueprint, Response, g, request

from scoring.errors import FieldError, InvalidRecords, Overloaded
from scoring.limits import Limits
from scoring.model import Model
from scoring.observers.log_lines import Truth
from scoring.observers.prediction_log import PredictionLog
from scoring.values.strict_json import decode
from serving.http.body import json_body
from serving.http.reply import JSON
from serving.openapi.components import Schema
from serving.openapi.operations import Operations, in_path, post
from serving.responses import json_response
from serving.services import Services

_LONGEST: Final = 512  # of a request id
_MOST: Final = 2**31 - 1


def blueprint(services: Services, log: PredictionLog) -> Blueprint:
    """Return the route; it answers 202 once the truths wait for the log."""
    routes = Blueprint("feedback", __name__)
    limits, predictors = services.settings.limits, services.predictors

    @routes.post("/feedback/<name>")
    def feedback(name: str) -> Response:
        predictor = predictors.get(name)
        sent = decode(json_body(request, limits.max_body_bytes))
        found = truths(sent, predictor.model, limits)
        if not log.told(name, g.caller.key, found):
            raise Overloaded("the log cannot take more at the moment; try again in a moment")
        return json_response({"accepted": len(found)}, 202)

    return routes


def truths(sent: Any, model: Model, limits: Limits) -> list[Truth]:
    """Return what a JSON object, or an array of them, tells; raises InvalidRecords with every bad
    field, TooLarge for too many."""
    several = isinstance(sent, list)
    values = sent if several else [sent]
    limits.check_records(len(values))
    found: list[Truth] = []
    errors: list[FieldError] = []
    for place, value in enumerate(values):
        where = f"[{place}]" if several else ""
        if not isinstance(value, dict):
            errors.append(FieldError(where or "body", "expected an object"))
            continue
        told, index, actual = value.get("request_id"), value.get("index", 0), value.get("actual")
        problems = {}
        if not (isinstance(told, str) and 0 < len(told) <= _LONGEST):
            problems["request_id"] = "expected the X-Request-ID of the answer"
        if type(index) is not int or not 0 <= index <= _MOST:
            problems["index"] = "expected the record's place in the request, from 0"
        number = _number(actual, model)
        if number is None:
            problems["actual"] = f"expected {_expected(model)}"
        errors += [
            FieldError(f"{where}.{name}".removeprefix("."), what) for name, what in problems.items()
        ]
        if not problems:
            found.append(Truth(str(told), index, float(number or 0.0)))
        if len(errors) >= limits.max_errors:
            break
    if errors:
        detail = "the feedback is not valid"
        raise InvalidRecords(detail, tuple(errors[: limits.max_errors]))
    return found


def operations(services: Services) -> Operations:
    """Return the OpenAPI operation."""
    names = [predictor.model.name for predictor in services.predictors]
    truth: Schema = {
        "type": "object",
        "required": ["request_id", "actual"],
        "properties": {
            "request_id": {"type": "string", "minLength": 1, "maxLength": _LONGEST},
            "index": {"type": "integer", "minimum": 0, "maximum": _MOST, "default": 0},
            "actual": {"type": ["number", "boolean"]},
        },
    }
    most = services.settings.max_records
    several: Schema = {"type": "array", "maxItems": most, "items": truth}
    item = post(
        "feedback",
        "predictions",
        summary="What came true",
        description="Written to the prediction log, whether there was such a prediction or not.",
        sent={JSON: {"schema": {"oneOf": [truth, several]},
                     "example": {"request_id": "5e1f4c", "actual": 1}}},
        answered={"schema": {"type": "object", "required": ["accepted"],
                             "properties": {"accepted": {"type": "integer"}}}},
        meaning="How many were taken.",
    )  # fmt: skip
    answers = item["post"]["responses"]
    answers["202"] = answers.pop("200")
    return {"/feedback/{name}": {"parameters": [in_path("name", {"enum": names})], **item}}


def _number(actual: Any, model: Model) -> float | None:
    if model.task == "regression":
        is_number = isinstance(actual, int | float) and not isinstance(actual, bool)
        try:
            return float(actual) if is_number and math.isfinite(actual) else None
        except OverflowError:
            return None
    is_class = isinstance(actual, bool) or (isinstance(actual, int) and actual in (0, 1))
    return float(actual) if is_class and not _several(model) else None


def _several(model: Model) -> bool:
    return len(model.classes) > 2


def _expected(model: Model) -> str:
    if model.task == "regression":
        return "a number"
    return "true, false, 1 or 0" + (
        "; of three classes or more no feedback is taken" if _several(model) else ""
    )
