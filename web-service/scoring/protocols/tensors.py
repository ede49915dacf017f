"""The Open Inference Protocol's messages (V2, HTTP/JSON): a tensor a field, a tensor an answer.

A record's field is an input of its name, of shape [n] or [n, 1]; n records are one request. What
the model answers under one key is an output of that name, of shape [n].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from scoring.errors import FieldError, InvalidRecords, TooLarge, UnsupportedMedia
from scoring.jsontext import encode
from scoring.models import Model
from scoring.protocols.fields import Kind, kinds, missing, schema

PLATFORM: Final = "sklearn_dictvectorizer"

_DATATYPES: Final[dict[Kind, str]] = {
    "boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES",
}  # fmt: skip
# what a tensor's values are in JSON, by its datatype; bounds are the record's business
_IN_JSON: Final[dict[str, tuple[type, ...]]] = {
    "BOOL": (bool,),
    **{f"{sign}INT{bits}": (int,) for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": (int, float) for bits in (16, 32, 64)},
    "BYTES": (str,),
}
_UNSEEN: Final = "unseen"
_MAX_TENSORS: Final = 1000


def metadata(model: Model, versions: Sequence[str]) -> dict[str, Any]:
    """Gives what /v2/models/<model> tells: names, datatypes and shapes; -1 is the number of
    records."""
    inputs = kinds(schema(model))
    outputs = {name: _datatype(value) for name, value in model.answer(0.5, 0.5).items()}
    outputs[_UNSEEN] = "BYTES"
    return {
        "name": model.name,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [_described(name, _DATATYPES[kind]) for name, kind in inputs.items()],
        "outputs": [_described(name, datatype) for name, datatype in outputs.items()],
    }


def values(sent: Any, model: Model, *, max_records: int) -> list[dict[str, Any]]:
    """Gives the records that the input tensors of an inference request hold, not yet validated.
    Raises InvalidRecords with every tensor that cannot be taken, TooLarge for more than
    `max_records` records or too many tensors, UnsupportedMedia for binary ones."""
    tensors = sent.get("inputs") if isinstance(sent, dict) else None
    if not isinstance(tensors, list) or not tensors:
        raise _invalid([FieldError("inputs", "expected an array of tensors, one for each field")])
    if len(tensors) > _MAX_TENSORS:
        raise TooLarge(f"{len(tensors)} tensors in one request; at most {_MAX_TENSORS} are taken")
    columns: dict[str, list[Any]] = {}
    found: list[FieldError] = []
    fields = schema(model)
    for number, tensor in enumerate(tensors):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            found.append(FieldError(f"inputs[{number}]", "expected a tensor with a name"))
        elif name in columns:
            found.append(FieldError(name, "there are two tensors of this name"))
        else:
            columns[name] = []
            if name in fields:  # others are ignored, as a record's other keys are
                columns[name], problems = _data(tensor, name)
                found += problems
    found += missing(columns, fields, "tensor")
    if found:
        raise _invalid(found)
    lengths = {name: len(columns[name]) for name in fields}
    if len(set(lengths.values())) > 1:
        raise _invalid(
            [FieldError(name, f"its length is {length}") for name, length in lengths.items()],
            "all input tensors must have the same length, the number of records",
        )
    n_records = max(lengths.values(), default=0)
    if n_records > max_records:
        raise TooLarge(f"{n_records} records in one request; at most {max_records} are taken")
    rows = zip(*(columns[name] for name in fields), strict=True)
    return [dict(zip(fields, row, strict=True)) for row in rows]


def answer(
    sent: Mapping[str, Any], answers: Sequence[Mapping[str, Any]], model: Model, version: str
) -> dict[str, Any]:
    """Gives the inference response: the outputs that `sent` asks for, of all where it names none.
    What training never saw comes as `unseen`, a JSON array in text for each record. Raises
    InvalidRecords for an output that the model does not have."""
    names = [*model.answer(0.5, 0.5), _UNSEEN]
    wanted = _wanted(sent.get("outputs"), names)
    if not wanted:
        wanted = [name for name in names if name != _UNSEEN or any(_UNSEEN in a for a in answers)]
    outputs = []
    for name in wanted:
        if name == _UNSEEN:
            data = [encode(answer.get(_UNSEEN, [])).decode().strip() for answer in answers]
            datatype = "BYTES"
        else:
            data = [answer[name] for answer in answers]
            datatype = _datatype(model.answer(0.5, 0.5)[name])
        outputs.append({"name": name, "datatype": datatype, "shape": [len(data)], "data": data})
    given = sent.get("id")
    known = {"id": given} if isinstance(given, str) else {}
    return {"model_name": model.name, "model_version": version, **known, "outputs": outputs}


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
            f"the tensor '{name}' is binary, and only JSON is taken: send its values under 'data' "
            "(in tritonclient, set_data_from_numpy(..., binary_data=False))"
        )
    datatype, shape, data = (tensor.get(key) for key in ("datatype", "shape", "data"))
    if not isinstance(datatype, str) or datatype not in _IN_JSON:
        return [], [FieldError(f"{name}.datatype", f"expected one of {', '.join(_IN_JSON)}")]
    if not isinstance(data, list):
        return [], [FieldError(f"{name}.data", "expected an array of values")]
    data = [value for row in data for value in (row if isinstance(row, list) else [row])]
    if shape not in ([len(data)], [len(data), 1]):
        expected = f"expected [n] or [n, 1], where n is the number of values, here {len(data)}"
        return data, [FieldError(f"{name}.shape", expected)]
    taken = _IN_JSON[datatype]
    for number, value in enumerate(data):
        # true is an int to Python
        if not isinstance(value, taken) or (isinstance(value, bool) and datatype != "BOOL"):
            problem = f"not a {datatype}, which the tensor says to hold"
            return data, [FieldError(f"{name}.data[{number}]", problem)]
    return data, []


def _datatype(value: float | bool) -> str:
    return "BOOL" if isinstance(value, bool) else "FP64"


def _described(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _invalid(
    errors: list[FieldError], detail: str = "the request's tensors are not valid"
) -> InvalidRecords:
    return InvalidRecords(detail, tuple(errors))
