"""The Open Inference Protocol (V2) over HTTP/JSON, below /v2: a tensor a field, a tensor an answer.

A record's field is an input of its name, of shape [n] or [n, 1]; n records are one request. What
the model answers under one key is an output of that name, of shape [n]; numbers by class are one
each, as `probabilities.adelie`. With `"parameters": {"interval": 0.9}` so are intervals' ends, as
`duration_low`. Errors are the service's own with the member `error`, where clients look for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, g, request

from scoring import __version__
from scoring.cells import Kind
from scoring.engine import answer_values
from scoring.errors import (
    FieldError,
    InvalidRecords,
    RequestError,
    TooLarge,
    UnknownModel,
    UnsupportedMedia,
)
from scoring.limits import Limits
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.values.shares import flat
from scoring.values.strict_json import decode, encode
from serving.fields import example, fields
from serving.http.body import json_body
from serving.http.interval import asked
from serving.http.reply import JSON
from serving.openapi.components import Schema, example_answer
from serving.openapi.operations import Operations, get, in_path, parameters_of, post
from serving.protocols.tables import missing
from serving.responses import json_response, refusal
from serving.routes.health import ensure_ready
from serving.services import Services

_DATATYPES: Final[dict[Kind, str]] = {
    "boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES", "json": "BYTES",
}  # fmt: skip
# Any of them may hold a field's values: in JSON they look alike, and the record's reader decides.
_KNOWN_DATATYPES: Final = (
    "BOOL",
    *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
    *(f"FP{bits}" for bits in (16, 32, 64)),
    "BYTES",
)
_NAME: Final = "prediction-service"
_TOLD: Final = ("unseen", "beyond")  # arrays of texts
_MAX_TENSORS: Final = 1000
_NAMED_ERRORS: Final = 5  # in the one line that the member `error` is

_MODEL: Final = "/v2/models/<name>"
_VERSION: Final = f"{_MODEL}/versions/<version>"
_BINARY: Final = "in tritonclient, set_data_from_numpy(..., binary_data=False)"


def blueprint(services: Services) -> Blueprint:
    """Return the protocol's routes."""
    routes = Blueprint("inference", __name__)
    limits = services.settings.limits

    def chosen(name: str, version: str | None) -> Predictor:
        predictor = services.predictors.get(name)
        g.version = predictor.version
        if version not in (None, predictor.version):
            raise UnknownModel(f"model '{name}' serves only version {predictor.version}")
        return predictor

    @routes.get("/v2")
    def server() -> Response:
        return json_response({"name": _NAME, "version": __version__, "extensions": []})

    @routes.get("/v2/health/live")
    def live() -> Response:
        return json_response({"live": True})

    @routes.get("/v2/health/ready")
    def ready() -> Response:
        ensure_ready(services)
        return json_response({"ready": True})

    @routes.get(_MODEL, defaults={"version": None})
    @routes.get(_VERSION)
    def model(name: str, version: str | None) -> Response:
        predictor = chosen(name, version)
        return json_response(metadata(predictor.model, [predictor.version]))

    @routes.get(f"{_MODEL}/ready", defaults={"version": None})
    @routes.get(f"{_VERSION}/ready")
    def model_ready(name: str, version: str | None) -> Response:
        predictor = chosen(name, version)
        ensure_ready(services)
        return json_response({"name": predictor.model.name, "ready": True})

    @routes.post(f"{_MODEL}/infer", defaults={"version": None})
    @routes.post(f"{_VERSION}/infer")
    def infer(name: str, version: str | None) -> Response:
        predictor = chosen(name, version)
        if "Inference-Header-Content-Length" in request.headers:
            raise UnsupportedMedia(
                f"the binary data extension is not supported: send tensors as JSON ({_BINARY})"
            )
        sent = decode(json_body(request, limits.max_body_bytes, undeclared=True))  # as clients do
        records = values(sent, predictor.model, limits=limits)
        answers = answer_values(
            predictor, records, limits=limits, interval=asked(sent.get("parameters")),
            observer=services.observer, caller=g.caller)  # fmt: skip
        return json_response(answer(sent, answers, predictor.model, predictor.version))

    routes.register_error_handler(RequestError, _refused)
    return routes


def metadata(model: Model, versions: Sequence[str]) -> dict[str, Any]:
    """Return what /v2/models/<model> tells; in a shape, -1 is the number of records."""
    outputs = {name: _datatype(value) for name, value in flat(model.some_answer()).items()}
    outputs |= dict.fromkeys(_TOLD, "BYTES")
    return {
        "name": model.name,
        "versions": list(versions),
        "platform": "sklearn_dictvectorizer",
        "inputs": [_described(f.name, _DATATYPES[f.kind]) for f in fields(model).values()],
        "outputs": [_described(name, datatype) for name, datatype in outputs.items()],
    }


def values(sent: Any, model: Model, *, limits: Limits) -> list[dict[str, Any]]:
    """Return the records that the input tensors of an inference request hold, not yet validated.

    Raises InvalidRecords with every tensor that cannot be taken, TooLarge for more than
    `limits.max_records` records or too many tensors, UnsupportedMedia for binary ones.
    """
    tensors = sent.get("inputs") if isinstance(sent, dict) else None
    if not isinstance(tensors, list) or not tensors:
        raise _invalid([FieldError("inputs", "expected an array of tensors, one for each field")])
    if len(tensors) > _MAX_TENSORS:
        raise TooLarge(f"{len(tensors)} tensors in one request; at most {_MAX_TENSORS} are taken")
    columns: dict[str, list[Any]] = {}
    errors: list[FieldError] = []
    expected = fields(model)
    for number, tensor in enumerate(tensors):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            errors.append(FieldError(f"inputs[{number}]", "expected a tensor with a name"))
        elif name in columns:
            errors.append(FieldError(name, "there are two tensors of this name"))
        else:
            columns[name] = []
            if name in expected:  # others are ignored, as a record's other keys are
                columns[name], problems = _data(tensor, name)
                errors += problems
    errors += missing(columns, expected, "tensor")
    if errors:
        raise _invalid(errors)
    columns = {name: columns[name] for name in expected if name in columns}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise _invalid(
            [FieldError(name, f"its length is {length}") for name, length in lengths.items()],
            "all input tensors must have the same length, the number of records",
        )
    limits.check_records(max(lengths.values(), default=0))
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def answer(
    sent: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], model: Model, version: str
) -> dict[str, Any]:
    """Return the inference response: the outputs that `sent` asks for, of all where it names none.

    What training never saw comes as `unseen` and `beyond`, JSON arrays in text. Raises
    InvalidRecords for an output that the model does not have.
    """
    columns = list(map(flat, answers))
    made = columns[0] if columns else flat(model.some_answer())  # with intervals' ends, if asked
    known = {name: value for name, value in made.items() if name not in _TOLD}
    wanted = _wanted(sent.get("outputs"), [*known, *_TOLD])
    if not wanted:
        wanted = [*known, *(told for told in _TOLD if any(told in a for a in answers))]
    outputs = []
    for name in wanted:
        if name in _TOLD:
            data = [encode(answer.get(name, [])).decode().strip() for answer in answers]
        else:
            data = [answer[name] for answer in columns]
        datatype = _datatype(known.get(name, ""))
        outputs.append({"name": name, "datatype": datatype, "shape": [len(data)], "data": data})
    own = {"id": sent["id"]} if isinstance(sent.get("id"), str) else {}
    return {"model_name": model.name, "model_version": version, **own, "outputs": outputs}


def operations(services: Services) -> Operations:
    """Return the OpenAPI operations of the protocol."""
    names = [predictor.model.name for predictor in services.predictors]
    name, version = in_path("name", {"enum": names}), in_path("version", {})
    items = {
        "/v2": get("v2_server", "protocols", "The server and its extensions: none (V2)"),
        "/v2/health/live": get("v2_live", "protocols", "Whether it answers (V2)"),
        "/v2/health/ready": get("v2_ready", "protocols", "Whether it can predict (V2)", 503),
    }
    for path, parameters, suffix in (
        ("/v2/models/{name}", [name], ""),
        ("/v2/models/{name}/versions/{version}", [name, version], "_version"),
    ):
        about, ready = f"v2_model{suffix}", f"v2_model_ready{suffix}"
        for ending, item in (
            ("", get(about, "protocols", "A model's tensors (V2)", 404)),
            ("/ready", get(ready, "protocols", "Whether the model answers (V2)", 404, 503)),
            ("/infer", _infer(services.predictors.default, f"v2_infer{suffix}")),
        ):
            items[path + ending] = {"parameters": parameters, **item}
    return items


def _infer(predictor: Predictor, name: str) -> Schema:
    model, record = predictor.model, example(predictor.model)
    inputs = [
        found | {"shape": [1], "data": [record[found["name"]]]}
        for found in metadata(model, [])["inputs"]
        if found["name"] in record
    ]
    answered = example_answer(predictor)
    outputs = answer({}, [answered], model, predictor.version) if answered else {}
    any_object: Schema = {"type": "object", "additionalProperties": True}
    return post(
        name,
        "protocols",
        summary="Predictions of a model, a tensor a field (V2)",
        description="Input tensors of shape [n] or [n, 1], one for each field of the record; only "
        "JSON, without the binary data extension. `interval` among the request's `parameters` adds "
        f"the outputs of prediction intervals. The example is for the model '{model.name}'.",
        sent={JSON: {"schema": any_object, "example": {"inputs": inputs}}},
        answered={"schema": any_object, **({"example": outputs} if outputs else {})},
        parameters=parameters_of(predictor, "interval", "request_id"),
    )


def _refused(error: RequestError) -> Response:
    lines = [f"{line.field}: {line.problem}" for line in error.errors[:_NAMED_ERRORS]]
    if more := len(error.errors) - len(lines):
        lines.append(f"and {more} more")
    return refusal(error, error="; ".join([error.detail, *lines]))


def _wanted(outputs: Any, names: Sequence[str]) -> list[str]:
    if outputs is None:
        return []
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise _invalid([FieldError("outputs", "expected an array of objects, each with a name")])
    asked = [one.get("name") for one in outputs]
    found = [
        FieldError(f"outputs[{number}]", f"expected one of {', '.join(names)}")
        for number, name in enumerate(asked)
        if name not in names
    ]
    if found:
        raise _invalid(found)
    return list(dict.fromkeys(str(name) for name in asked))


def _data(tensor: Mapping[str, Any], name: str) -> tuple[list[Any], list[FieldError]]:
    parameters = tensor.get("parameters")
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        raise UnsupportedMedia(
            f"the tensor '{name}' is binary, which is not supported: send its values under 'data' "
            f"({_BINARY})"
        )
    datatype, shape, data = (tensor.get(key) for key in ("datatype", "shape", "data"))
    if datatype not in _KNOWN_DATATYPES:
        known = ", ".join(_KNOWN_DATATYPES)
        return [], [FieldError(f"{name}.datatype", f"expected one of {known}")]
    if not isinstance(data, list):
        return [], [FieldError(f"{name}.data", "expected an array of values")]
    data = [value for row in data for value in (row if isinstance(row, list) else [row])]
    if shape not in ([len(data)], [len(data), 1]):
        expected = f"expected [n] or [n, 1], where n is the number of values, here {len(data)}"
        return data, [FieldError(f"{name}.shape", expected)]
    return data, []


def _datatype(value: object) -> str:
    if isinstance(value, bool):
        return "BOOL"
    return "FP64" if isinstance(value, int | float) else "BYTES"


def _described(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _invalid(
    errors: list[FieldError], detail: str = "the request's tensors are not valid"
) -> InvalidRecords:
    return InvalidRecords(detail, tuple(errors))
