"""ONNX Runtime as the judge of an export, and records as the graph takes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.export.form import Form
from training.export.judges import Judged, NotJudged
from training.export.onnx_fields import has
from training.export.onnx_graph import FILE

_KINDS: Final[dict[str, Any]] = {
    "integer": np.int64, "number": np.float64, "flag": np.bool_, "text": object,
}  # fmt: skip
_NOTHING: Final[dict[str, Any]] = {"integer": 0, "number": 0.0, "flag": False, "text": ""}

Run = Callable[[Sequence[str], dict[str, Any]], Sequence[Any]]


def judge_onnx(form: Form, folder: Path, records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return what ONNX Runtime makes of the records, in one call."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise NotJudged("onnxruntime is not installed: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / FILE), options, providers=["CPUExecutionProvider"]
    )
    return judged_by(session.run, form, records)


def judged_by(run: Run, form: Form, records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return what a runtime makes of the records; `run` takes the outputs' names and the inputs."""
    outputs = ["score", *(one.name for one in form.answers if one.name != "score")]
    names = [feature.name for feature in form.categories]
    score, *values = run([*outputs, *(["unseen"] if names else [])], feed_of(form, records))
    unseen = values.pop() if names else np.zeros((len(records), 0), dtype=bool)
    answers = dict(zip(outputs[1:], values, strict=True))
    found = []
    for place, record in enumerate(records):
        numbers = tuple(map(float, np.atleast_1d(score[place])))
        if math.isnan(numbers[0]) or _lacks(form, record):
            found.append(Judged(None))
            continue
        answer = {"score": numbers[0]}
        answer |= {name: _value(form, column[place]) for name, column in answers.items()}
        new = (name for name, mark in zip(names, unseen[place], strict=True) if mark)
        found.append(Judged(numbers if form.classes else numbers[0], frozenset(new), answer))
    return found


def _value(form: Form, found: Any) -> Any:
    """Return a value of an answer as JSON has it."""
    if isinstance(found, str):
        return found
    if np.ndim(found):
        return dict(zip(form.classes, found.tolist(), strict=True))
    return found.item()


def feed_of(form: Form, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the inputs of the graph, (n_records,) each."""
    feed: dict[str, Any] = {}
    for one in form.inputs:
        column = [record.get(one.name, one.default) for record in records]
        there = [value is not None for value in column]
        filled = [_NOTHING[one.kind] if value is None else value for value in column]
        feed[one.name] = np.array(filled, dtype=_KINDS[one.kind])
        if one.nullable:
            feed[has(one)] = np.array(there)
    return feed


def _lacks(form: Form, record: Mapping[str, Any]) -> bool:
    """Say whether a record lacks what a tensor always has."""
    return any(
        record.get(one.name, one.default) is None and not one.nullable for one in form.inputs
    )
