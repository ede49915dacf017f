"""What of a model file would fail at one of the doors: refused when the file is found."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from scoring.errors import InvalidRecords
from scoring.field_kinds import Refused, check_record
from scoring.model import Model, tried
from scoring.record import Record, RecordReader
from scoring.values.json_values import as_json
from scoring.values.shares import Shares

# Keys of the service's own in an answer.
_OURS: Final = {"model_version", "unseen", "beyond", "explanation", "predictions"}


def check(model: Model, others: Iterable[Model]) -> None:
    """Raise Refused where something of a model would fail at one of the doors."""
    if not (model.name.isidentifier() and model.name.islower()):
        raise Refused(f"its name '{model.name}' is not in lower case letters, digits and _")
    if model.name in {other.name for other in others}:
        raise Refused(f"another file has a model of the name '{model.name}'")
    if not (isinstance(model.record, type) and issubclass(model.record, Record)):
        raise Refused("its record is no subclass of Record")
    check_record(model.record)
    _check_classes(model)
    reader = RecordReader(model.record)
    record = _valid(reader, model.example, "its example is no valid record")
    for name, field in model.record.model_fields.items():
        if not field.is_required():
            default = as_json(field.get_default(call_default_factory=True))
            _valid(reader, {**model.example, name: default}, "a default is not valid")
    try:
        made = dict(model.features(record))
        for name in sorted(model.nullable):
            model.features(reader.one({**model.example, name: None}))
        answers = [model.answer(score, model.threshold) for score in tried(model)]
    except Exception as error:
        raise Refused(f"its code fails on its own example: {told(error)}") from error
    _check_features(made)
    _check_answers(answers)


def _valid(reader: RecordReader, values: Mapping[str, Any], words: str) -> Record:
    try:
        return reader.one(dict(values))
    except InvalidRecords as error:
        line = error.errors[0]
        raise Refused(f"{words}: {line.field}: {line.problem}") from error


def _check_features(made: Mapping[Any, Any]) -> None:
    if not made:
        raise Refused("its features are none")
    for name, value in made.items():
        if not (isinstance(name, str) and (isinstance(value, str) or _is_finite(value))):
            raise Refused(
                f"its feature {name!r} is {value!r}; features are texts and numbers by their names"
            )


def _check_classes(model: Model) -> None:
    classes: Any = model.classes
    if not classes and classes == ():
        return
    if model.task != "classification":
        raise Refused(f"it has classes, and its task is {model.task}")
    if not (isinstance(classes, tuple) and all(type(name) is str and name for name in classes)):
        raise Refused(f"its classes are {classes!r}; a tuple of texts is expected")
    if len(classes) < 3:
        raise Refused(
            "it has fewer than three classes: of two, the score is the probability of the positive "
            "one, and no classes are given"
        )
    if len(set(classes)) < len(classes):
        raise Refused("two of its classes have the same name")


def _check_answers(answers: list[Any]) -> None:
    first = answers[0]
    if not (isinstance(first, dict) and first and all(type(name) is str for name in first)):
        raise Refused("its answer is no dictionary of values by their names")
    if ours := sorted(first.keys() & _OURS):
        raise Refused(f"its answer has the key '{ours[0]}', which the service adds itself")
    for name, value in first.items():
        if isinstance(value, Shares):
            raise Refused(
                f"its answer '{name}' is the score itself, which holds every class: float(score) "
                "is the probability of the most likely one"
            )
        if type(value) is dict and value:
            plain = all(type(k) is str and type(v) in (int, float) for k, v in value.items())
            if plain and all(map(_is_finite, value.values())):
                continue
        if not (type(value) in (bool, str) or _is_finite(value)):
            raise Refused(
                f"its answer '{name}' is {value!r}; answers are numbers, texts, true and false, or "
                "numbers by class"
            )
    kinds = [{name: _kind(value) for name, value in answer.items()} for answer in answers]
    if any(kind != kinds[0] for kind in kinds):
        raise Refused("its answer has other keys, or other kinds of value, for another score")


def _kind(value: Any) -> Any:
    if isinstance(value, dict):
        return list(value)
    return "number" if _is_finite(value) and not isinstance(value, bool) else type(value).__name__


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def told(error: Exception) -> str:
    """Return an exception in one line, with the place in a file that it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words} ({Path(last.filename).name}, line {last.lineno})"
