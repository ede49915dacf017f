"""Answers that a person has of a model, as `--expect request.json=37.4`: the proof of one that
cannot be loaded here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from scoring.errors import ArtifactError, InvalidRecords
from scoring.models import Model
from scoring.record import RecordReader
from scoring.values.shares import Shares


class Expectation(NamedTuple):
    """A record and what the model is said to answer, within the digits that were given."""

    name: str  # of the file
    record: dict[str, Any]
    answer: float | None  # of several classes, the probability of that class, where it is given
    tolerance: float
    of: str | None = None  # of several classes, the most likely one


def read_expectations(words: Sequence[str], model: Model) -> list[Expectation]:
    """Return what each `FILE=ANSWER` says. Raises ArtifactError for a file that holds no record of
    the model, or an answer that is no number."""
    return [_read(word, model) for word in words]


def _read(word: str, model: Model) -> Expectation:
    name, _, text = word.rpartition("=")
    label = next((c for c in model.classes if text == c or text.startswith(f"{c}:")), None)
    if label is not None:
        text = text[len(label) + 1 :]
    try:
        number = Decimal(text or 0)
        if not name or not number.is_finite() or bool(model.classes) != (label is not None):
            raise InvalidOperation
    except InvalidOperation:
        such = "37.4"
        if model.classes:
            such = f"{model.classes[0]} or request.json={model.classes[0]}:0.93"
        raise ArtifactError(
            f"--expect takes FILE=ANSWER, as request.json={such}, not '{word}'"
        ) from None
    try:
        record = json.loads(Path(name).read_text(encoding="utf-8"))
        RecordReader(model.record).one(record)
    except OSError as error:
        raise ArtifactError(f"--expect: {name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArtifactError(f"--expect: {name} is no JSON: {error}") from error
    except InvalidRecords as error:
        first = error.errors[0]
        raise ArtifactError(f"--expect: {name}: {first.field}: {first.problem}") from error
    exponent = number.as_tuple().exponent
    digit = 10.0 ** int(exponent) / 2  # half of the last digit
    within = max(digit * 1.001, 1e-6 * abs(float(number)))
    return Expectation(name, record, float(number) if text else None, within, label)


def check_expectations(
    expected: Sequence[Expectation],
    model: Model,
    score: Callable[[dict[str, Any]], float],
    threshold: float,
) -> list[str]:
    """Return a note for the manifest; none where nothing is expected.

    `score` gives the model's score of a record. Raises ArtifactError where the answer is another.
    """
    for one in expected:
        found = score(one.record)
        if isinstance(found, Shares):
            number: float = found
            same = found.most_likely == one.of
            answered = f"{found.most_likely}:{number:.10g}"
        else:
            answer = model.answer(found, threshold)
            number = next(v for v in answer.values() if isinstance(v, int | float) and v is not True
                          and v is not False)  # fmt: skip
            same, answered = True, f"{number:.10g}"
        wanted = [] if one.of is None else [one.of]
        if one.answer is not None:
            same = same and math.isclose(number, one.answer, rel_tol=0, abs_tol=one.tolerance)
            wanted.append(f"{one.answer:.10g}")
        if not same:
            raise ArtifactError(
                f"{one.name} is answered {answered}, expected {':'.join(wanted)}: the model was "
                "read wrongly, or the answer is another model's; nothing was written"
            )
    if not expected:
        return []
    records = "record" if len(expected) == 1 else "records"
    return [f"its answers to {len(expected)} {records} are those that its owner expected"]
