"""The paths of the OpenAPI document that follow other people's protocols."""

from __future__ import annotations

from typing import Any, Final

from scoring.openapi.operations import get, problems
from scoring.openapi.schemas import PROBLEMS, Schema, example_answer, header_refs, ref, schema_name
from scoring.predictor import Predictor
from scoring.protocols import tensors
from scoring.protocols.mlflow import FORMS
from scoring.service import Predictors

_JSON: Final = "application/json"
_ANY: Final[Schema] = {"type": "object", "additionalProperties": True}


def protocols(predictors: Predictors) -> dict[str, Schema]:
    """Gives the paths of MLflow's protocol and of the Open Inference Protocol (V2)."""
    default = predictors.default
    names = [predictor.model.name for predictor in predictors]
    name, version = _in_path("name", {"enum": names}), _in_path("version", {})
    model = get("v2_model", "protocols", "A model's tensors (V2)", 404, 500)
    ready = get("v2_model_ready", "protocols", "Whether the model answers (V2)", 404, 500)
    found = {
        "/invocations": {"post": _invoke(default)},
        "/version": get("version", "protocols", "The service's version", 500, text="1.0.0"),
        "/health": get("health", "protocols", "200, as MLflow's server has it", 500, text="\n"),
        "/v2": get("v2_server", "protocols", "The server and its extensions: none (V2)", 500),
        "/v2/health/live": get("v2_live", "protocols", "Whether it answers (V2)", 500),
        "/v2/health/ready": get("v2_ready", "protocols", "Whether it can predict (V2)", 500, 503),
    }
    for path, parameters in (
        ("/v2/models/{name}", [name]),
        ("/v2/models/{name}/versions/{version}", [name, version]),
    ):
        suffix = "_version" if len(parameters) > 1 else ""
        infer = {"post": _infer(default, f"v2_infer{suffix}")}
        for ending, item in (("", model), ("/ready", ready), ("/infer", infer)):
            [(method, operation)] = item.items()
            own = operation["operationId"].removesuffix(suffix) + suffix
            found[path + ending] = {
                "parameters": parameters,
                method: operation | {"operationId": own},
            }
    return found


def _invoke(predictor: Predictor) -> Schema:
    model = predictor.model
    example = dict(model.example)
    answer = {k: v for k, v in example_answer(predictor).items() if k != "model_version"}
    columns, row = list(example), list(example.values())
    forms = {
        "record": example,
        "dataframe_split": {"dataframe_split": {"columns": columns, "data": [row]}},
        "dataframe_records": {"dataframe_records": [example]},
        "instances": {"instances": [example]},
        "inputs": {"inputs": {name: [value] for name, value in example.items()}},
    }
    lines = [",".join(str(value) for value in line) for line in (columns, row)]
    return _operation(
        "invocations",
        f"{model.title} in the forms of MLflow's scoring server, and as SageMaker asks",
        f"A record, an array of records, or one of {', '.join(FORMS)}; or CSV with a line of "
        "column names.",
        {
            _JSON: {
                "schema": {
                    "oneOf": [_ANY, {"type": "array", "items": ref(schema_name(model, "Record"))}]
                },
                "examples": {form: {"value": value} for form, value in forms.items()},
            },
            "text/csv": {"schema": {"type": "string"}, "example": "\n".join([*lines, ""])},
        },
        {
            "schema": {
                "type": "object",
                "required": ["predictions"],
                "properties": {"predictions": {"type": "array", "items": {}}},
            },
            "example": {"predictions": [answer]},
        },
    )


def _infer(predictor: Predictor, name: str) -> Schema:
    model, example = predictor.model, predictor.model.example
    inputs = [
        described | {"shape": [1], "data": [example[described["name"]]]}
        for described in tensors.metadata(model, [])["inputs"]
    ]
    answers = [example_answer(predictor)]
    return _operation(
        name,
        "Predictions of a model, a tensor a field (V2)",
        "Input tensors of shape [n] or [n, 1], one for each field of the record; JSON alone, "
        "without the binary data extension. The example is for the model "
        f"'{model.name}'.",
        {_JSON: {"schema": _ANY, "example": {"inputs": inputs}}},
        {"schema": _ANY, "example": tensors.answer({}, answers, model, predictor.version)},
    )


def _operation(name: str, summary: str, description: str, sent: Schema, answered: Schema) -> Schema:
    return {
        "operationId": name,
        "tags": ["protocols"],
        "summary": summary,
        "description": description,
        "parameters": [{"$ref": "#/components/parameters/request_id"}],
        "requestBody": {"required": True, "content": sent},
        "responses": {
            "200": {
                "description": "The predictions, in the order of the records.",
                "headers": header_refs("Model-Version", "X-Request-ID"),
                "content": {_JSON: answered},
            },
            **problems(*PROBLEMS),
        },
    }


def _in_path(name: str, more: dict[str, Any]) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"} | more}
