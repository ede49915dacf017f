"""The request forms of MLflow's scoring server, which is also what SageMaker is sent.

    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], ...]}}
    {"dataframe_records": [{"a": 1, "b": 2}, ...]}
    {"instances": [{"a": 1, "b": 2}, ...]}       {"instances": {"a": [1, ...], "b": [2, ...]}}
    {"inputs": {"a": [1, ...], "b": [2, ...]}}   {"inputs": [{"a": 1, "b": 2}, ...]}
    {"a": 1, "b": 2}    [{"a": 1, "b": 2}, ...]  a record, or several, as POST /predict takes them

Beside a form may stand `params`; of those, `output` is known here: `records`, the default, answers
with our own objects, `numbers` with the first value of each, as a bare scikit-learn model would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from scoring.errors import FieldError, InvalidRecords, TooLarge
from scoring.models import Model
from scoring.protocols.fields import missing, schema
from scoring.record import MAX_ERRORS

FORMS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
OUTPUTS: Final = ("records", "numbers")


def values(sent: Any, model: Model, *, max_records: int) -> list[Any]:
    """Gives the records that a JSON value asks about, not yet validated, in order. Raises
    InvalidRecords where the form itself is wrong, TooLarge for more than `max_records` rows."""
    forms = [form for form in FORMS if form in sent] if isinstance(sent, dict) else []
    if len(forms) > 1:
        raise _invalid("body", f"expected one form, got {len(forms)}: {', '.join(forms)}")
    if not forms:
        return sent if isinstance(sent, list) else [sent]
    [form] = forms
    data = sent[form]
    if form == "dataframe_split":
        return _split(data, model, max_records)
    if isinstance(data, list):
        return data
    if form == "dataframe_records" or not isinstance(data, dict):
        also = "" if form == "dataframe_records" else ", or an object of columns"
        raise _invalid(form, f"expected an array of records{also}")
    return _columns(data, form, model, max_records)


def output(sent: Any) -> str:
    """Gives which of OUTPUTS the request asks for in `params`; raises InvalidRecords for another.
    Parameters of other names are ignored, as other keys are."""
    params = sent.get("params") if isinstance(sent, dict) else None
    wanted = params.get("output", OUTPUTS[0]) if isinstance(params, dict) else OUTPUTS[0]
    if wanted not in OUTPUTS:
        raise _invalid("params.output", f"expected one of {', '.join(OUTPUTS)}")
    return str(wanted)


def answer(answers: Sequence[Mapping[str, Any]], output: str = "records") -> dict[str, Any]:
    """Gives our answers in MLflow's form, as `output` says."""
    if output == "numbers":
        return {"predictions": [next(iter(answer.values())) for answer in answers]}
    return {"predictions": list(answers)}


def table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], model: Model, place: str
) -> list[dict[str, Any]]:
    """Gives rows as records under the names of their columns. Raises InvalidRecords for columns
    that are missing or there twice, and for rows that do not fit them; `place` names the rows."""
    found = [
        FieldError(name, "the column is there more than once")
        for name in schema(model)
        if names.count(name) > 1
    ]
    found += missing(set(names), schema(model), "column")
    if found:
        raise InvalidRecords("the columns are not those of a record", tuple(found))
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            problem = f"expected {len(names)} values, one for each column"
            problem += f", got {len(row)}" if isinstance(row, list) else ""
            found.append(FieldError(f"{place}[{number}]", problem))
        if len(found) == MAX_ERRORS:
            break
    if found:
        raise InvalidRecords("some rows do not fit the columns", tuple(found))
    return [dict(zip(names, row, strict=True)) for row in rows]


def bounded(rows: int, max_records: int) -> None:
    """Raises TooLarge for more than `max_records` rows."""
    if rows > max_records:
        raise TooLarge(f"{rows} records in one request; at most {max_records} are taken")


def _split(data: Any, model: Model, max_records: int) -> list[Any]:
    names = data.get("columns") if isinstance(data, dict) else None
    rows = data.get("data") if isinstance(data, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _invalid("dataframe_split.columns", "expected an array of the columns' names")
    if not isinstance(rows, list):
        raise _invalid("dataframe_split.data", "expected an array of rows, each an array of values")
    bounded(len(rows), max_records)
    return table(names, rows, model, "dataframe_split.data")


def _columns(data: dict[str, Any], form: str, model: Model, max_records: int) -> list[Any]:
    fields = schema(model)
    columns = {name: data[name] for name in data if name in fields}
    if columns and not any(isinstance(column, list) for column in columns.values()):
        return [data]  # an object of single values: one record
    if found := missing(data, fields, "column"):
        raise InvalidRecords("the columns are not those of a record", tuple(found))
    found = [
        FieldError(f"{form}.{name}", "expected an array of values")
        for name, column in columns.items()
        if not isinstance(column, list)
    ]
    lengths = {name: len(column) for name, column in columns.items() if isinstance(column, list)}
    if not found and len(set(lengths.values())) > 1:
        found = [
            FieldError(f"{form}.{name}", f"{length} values, where others have another number")
            for name, length in lengths.items()
        ]
    if found:
        raise InvalidRecords("the columns do not make up records", tuple(found))
    bounded(max(lengths.values(), default=0), max_records)
    cells = [[_cell(value) for value in column] for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _cell(value: Any) -> Any:
    """A column of shape (n, 1) is as good as one of shape (n,)."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _invalid(field: str, problem: str) -> InvalidRecords:
    return InvalidRecords("the request is in no form that is known", (FieldError(field, problem),))
