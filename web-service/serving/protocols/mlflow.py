"""POST /invocations, as MLflow's scoring server and SageMaker's containers have it.

The default model answers. Two addresses beside it are those that their clients ask.

    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], ...]}}
    {"dataframe_records": [{"a": 1, "b": 2}, ...]}
    {"instances": [{"a": 1, "b": 2}, ...]}       {"instances": {"a": [1, ...], "b": [2, ...]}}
    {"inputs": {"a": [1, ...], "b": [2, ...]}}   {"inputs": [{"a": 1, "b": 2}, ...]}
    {"a": 1, "b": 2}    [{"a": 1, "b": 2}, ...]  a record, or several, as POST /predict takes them

Beside a form may stand `params`; of those, `output` is known here: `records`, the default, answers
with our own objects, `numbers` with the first number of each, as a bare scikit-learn model would,
or with the most likely one of several classes; `interval` adds prediction intervals, as the query
`?interval=0.9` does for every form. CSV and JSON lines are taken too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, g, request

from scoring import __version__
from scoring.cells import cell
from scoring.engine import answer_values
from scoring.errors import FieldError, InvalidRecords, UnsupportedMedia
from scoring.limits import Limits
from scoring.models import Model
from scoring.values.strict_json import decode
from serving.fields import example, fields
from serving.http.body import CSV, JSON_LINES, csv_header, json_body, text_body
from serving.http.interval import asked
from serving.http.reply import JSON
from serving.openapi.components import Schema, example_answer, ref, schema_name
from serving.openapi.operations import Operations, get, parameters_of, post
from serving.protocols.lines import csv_records, json_lines
from serving.protocols.tables import missing, records
from serving.responses import json_response
from serving.services import Services

FORMS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
OUTPUTS: Final = ("records", "numbers")


def blueprint(services: Services) -> Blueprint:
    """Return the routes of MLflow's protocol; GET /ping, the same there and here, is elsewhere."""
    routes = Blueprint("invocations", __name__)
    limits = services.settings.limits

    @routes.post("/invocations")
    def invoke() -> Response:
        predictor = services.predictors.default
        g.version = predictor.version
        form, params = OUTPUTS[0], None
        if request.mimetype in CSV:
            body = text_body(request, limits.max_body_bytes)
            header = csv_header(request)
            sent = csv_records(body, predictor.model, limits=limits, header=header)
        elif request.mimetype in JSON_LINES:
            sent = json_lines(text_body(request, limits.max_body_bytes), limits=limits)
        elif request.is_json:
            value = decode(json_body(request, limits.max_body_bytes))
            form = output(value)
            params = value.get("params") if isinstance(value, dict) else None
            sent = values(value, predictor.model, limits=limits)
        else:
            raise UnsupportedMedia(
                "send JSON (Content-Type: application/json), JSON lines (application/jsonlines) or "
                "CSV (text/csv)"
            )
        answers = answer_values(
            predictor, sent, limits=limits, interval=asked(params),
            observer=services.observer, caller=g.caller,
        )  # fmt: skip
        return json_response(answer(answers, form))

    @routes.get("/version")
    def version() -> Response:
        return Response(__version__, mimetype="text/plain")

    @routes.get("/health")
    def health() -> Response:
        return Response("\n", mimetype="text/plain")

    return routes


def values(sent: Any, model: Model, *, limits: Limits) -> list[Any]:
    """Return the records that a JSON value asks about, not yet validated, in order.

    Raises InvalidRecords where the form itself is wrong, TooLarge for too many rows.
    """
    forms = [form for form in FORMS if form in sent] if isinstance(sent, dict) else []
    if len(forms) > 1:
        raise _invalid("body", f"expected one form, got {len(forms)}: {', '.join(forms)}")
    if not forms:
        return sent if isinstance(sent, list) else [sent]
    [form] = forms
    data = sent[form]
    if form == "dataframe_split":
        return _split(data, model, limits)
    if isinstance(data, list):
        return data
    if form == "dataframe_records" or not isinstance(data, dict):
        also = "" if form == "dataframe_records" else ", or an object of columns"
        raise _invalid(form, f"expected an array of records{also}")
    return _columns(data, form, model, limits)


def output(sent: Any) -> str:
    """Return which of OUTPUTS the request asks for in `params`; raises InvalidRecords for another.

    Parameters of other names are ignored, as other keys are.
    """
    params = sent.get("params") if isinstance(sent, dict) else None
    wanted = params.get("output", OUTPUTS[0]) if isinstance(params, dict) else OUTPUTS[0]
    if wanted not in OUTPUTS:
        raise _invalid("params.output", f"expected one of {', '.join(OUTPUTS)}")
    return str(wanted)


def answer(answers: Sequence[Mapping[str, Any]], output: str = "records") -> dict[str, Any]:
    """Return our answers in MLflow's form, as `output` says."""
    if output == "numbers":
        return {"predictions": [_number(answer) for answer in answers]}
    return {"predictions": list(answers)}


def operations(services: Services) -> Operations:
    """Return the OpenAPI operations of these routes."""
    predictor = services.predictors.default
    model = predictor.model
    record = example(model)
    answered = {k: v for k, v in example_answer(predictor).items() if k != "model_version"}
    columns, row = list(record), list(record.values())
    forms = {
        "record": record,
        "dataframe_split": {"dataframe_split": {"columns": columns, "data": [row]}},
        "dataframe_records": {"dataframe_records": [record]},
        "instances": {"instances": [record]},
        "inputs": {"inputs": {name: [value] for name, value in record.items()}},
    }
    lines = [",".join(map(cell, line)) for line in (columns, row)]
    one: Schema = {"type": "object", "additionalProperties": True}
    several: Schema = {"type": "array", "items": ref(schema_name(model, "Record"))}
    text: Schema = {"type": "string"}
    result: Schema = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": {}}},
    }
    invocations = post(
        "invocations",
        "protocols",
        summary=f"{model.title} in the forms of MLflow's scoring server, and as SageMaker asks",
        description=f"A record, an array of records, or one of {', '.join(FORMS)}; JSON lines, a "
        "record each; or CSV, with a line of column names or the fields in the record's order, as "
        "`text/csv; header=present` or `header=absent` says for sure.",
        sent={
            JSON: {
                "schema": {"oneOf": [one, several]},
                "examples": {form: {"value": value} for form, value in forms.items()},
            },
            CSV[0]: {"schema": text, "example": "\n".join([*lines, ""])},
            JSON_LINES[0]: {"schema": text},
        },
        answered={"schema": result, "example": {"predictions": [answered]}},
        parameters=parameters_of(predictor, "interval", "request_id"),
    )
    return {
        "/invocations": invocations,
        "/version": get("version", "protocols", "The service's version", text=__version__),
        "/health": get("health", "protocols", "200, as MLflow's server has it", text="\n"),
    }


def _number(answer: Mapping[str, Any]) -> Any:
    """Return an answer's first number, or its first value where it has none."""
    values = list(answer.values())
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return (numbers or values)[0]


def _split(data: Any, model: Model, limits: Limits) -> list[Any]:
    names = data.get("columns") if isinstance(data, dict) else None
    rows = data.get("data") if isinstance(data, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _invalid("dataframe_split.columns", "expected an array of the columns' names")
    if not isinstance(rows, list):
        raise _invalid("dataframe_split.data", "expected an array of rows, each an array of values")
    limits.check_records(len(rows))
    return records(names, rows, model, "dataframe_split.data", limits)


def _columns(data: dict[str, Any], form: str, model: Model, limits: Limits) -> list[Any]:
    expected = fields(model)
    columns = {name: data[name] for name in data if name in expected}
    if columns and not any(isinstance(column, list) for column in columns.values()):
        return [data]  # an object of single values: one record
    if errors := missing(data, expected, "column"):
        raise InvalidRecords("the columns are not those of a record", tuple(errors))
    errors = [
        FieldError(f"{form}.{name}", "expected an array of values")
        for name, column in columns.items()
        if not isinstance(column, list)
    ]
    lengths = {name: len(column) for name, column in columns.items() if isinstance(column, list)}
    if not errors and len(set(lengths.values())) > 1:
        errors = [
            FieldError(f"{form}.{name}", f"{length} values, where others have another number")
            for name, length in lengths.items()
        ]
    if errors:
        raise InvalidRecords("the columns do not make up records", tuple(errors))
    limits.check_records(max(lengths.values(), default=0))
    cells = [[_cell(value) for value in column] for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _cell(value: Any) -> Any:
    """Return the value of a cell: a column of shape (n, 1) is as good as one of shape (n,)."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _invalid(field: str, problem: str) -> InvalidRecords:
    return InvalidRecords("the request's form is not known", (FieldError(field, problem),))
