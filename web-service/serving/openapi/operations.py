"""Operations of the OpenAPI document: what is sent where, and everything that can come back."""

from __future__ import annotations

from typing import Any, Final

from scoring.intervals import PARAMETER
from scoring.predictor import Predictor
from serving.http.reply import JSON
from serving.openapi.components import PROBLEMS, Schema, header_refs

Operations = dict[str, Schema]  # path items by path

# Whatever takes a body may refuse it in every way that has nothing to do with API keys.
_OF_A_BODY: Final = tuple(sorted(PROBLEMS.keys() - {401, 403}))


def get(name: str, tag: str, summary: str, *statuses: int, text: str = "") -> Schema:
    """Return the path item of an address that is only read.

    It answers a JSON object, or a text like `text`, and fails with `statuses` or 500.
    """
    content = (
        {"text/plain": {"schema": {"type": "string"}, "example": text}}
        if text
        else {JSON: {"schema": {"type": "object", "additionalProperties": True}}}
    )
    operation = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": _answer(summary, content), **problem_refs(*statuses, 500)},
    }
    return {"get": operation}


def post(
    name: str,
    tag: str,
    *,
    summary: str,
    description: str,
    sent: Schema,
    answered: Schema,
    meaning: str = "The predictions, in the order of the records.",
    parameters: tuple[str, ...] = ("request_id",),
) -> Schema:
    """Return the path item of an address that predicts.

    `sent` are the body's schemas and examples by media type, `answered` those of the JSON answer,
    `parameters` names of components.
    """
    operation = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters],
        "requestBody": {"required": True, "content": sent},
        "responses": {
            "200": _answer(meaning, {JSON: answered}),
            **problem_refs(*_OF_A_BODY),
        },
    }
    return {"post": operation}


def parameters_of(predictor: Predictor, *names: str) -> tuple[str, ...]:
    """Return `names` of components for an address that predicts: `interval` only where the model
    that it asks gives intervals."""
    given = predictor.manifest.calibration is not None
    return tuple(name for name in names if given or name != PARAMETER)


def in_path(name: str, more: dict[str, Any]) -> Schema:
    """Return the parameter that is the part `name` of a path, a string with the limits `more`."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"} | more}


def problem_refs(*statuses: int) -> Schema:
    """Return references to the answers that are errors, by status."""
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _answer(description: str, content: Schema) -> Schema:
    headers = header_refs("Model-Version", "X-Request-ID")
    return {"description": description, "headers": headers, "content": content}
