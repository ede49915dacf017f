"""A file of records on the page: a CSV in, the same with the answers behind each row out.

It is read as `/predict`'s CSV is, and its columns are named as a batch's are.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any, Final

from scoring.errors import RequestError
from scoring.limits import Limits
from scoring.predictor import Predictor
from serving.protocols.lines import csv_table

_SHOWN: Final = 20  # rows
_NAMED: Final = ("unseen", "beyond")
_PROBLEM: Final = "problem"


def answered(
    predictor: Predictor, body: bytes, limits: Limits, header: bool | None = None
) -> dict[str, Any]:
    """Return a file's first rows with answers and problems, how many of each there are, and the
    whole as CSV.

    The columns are the file's (one of an answer's name is `NAME_input`), then the answer's,
    `model_version`, `unseen`, `beyond` and `problem`. Raises NotCsv, InvalidRecords and TooLarge
    where the file as a whole cannot be read.
    """
    table = csv_table(body, predictor.model, limits=limits, header=header)
    scored, refused = predictor.each(table.records)
    answers = iter(scored.answers)
    own = [*_flat(predictor.model.some_answer()), "model_version", *_NAMED, _PROBLEM]
    names = [f"{name}_input" if name in own else name for name in table.names]
    rows = []
    for place, cells in enumerate(table.lines):
        if place in refused:
            made = dict.fromkeys(own, "") | {_PROBLEM: _worded(refused[place])}
        else:
            made = _cells(predictor, own, next(answers))
        rows.append([*cells, *made.values()])
    written = io.StringIO(newline="")
    csv.writer(written).writerows([[*names, *own], *rows])
    return {
        "columns": [*names, *own],
        "rows": rows[:_SHOWN],
        "records": len(rows),
        "refused": len(refused),
        "csv": written.getvalue(),
    }


def _cells(predictor: Predictor, own: list[str], answer: dict[str, Any]) -> dict[str, str]:
    flat = _flat(answer)
    found = {name: flat.get(name, "") for name in own} | {"model_version": predictor.version}
    joined = {name: ",".join(answer.get(name, ())) for name in _NAMED}
    return {name: _text(value) for name, value in (found | joined).items()}


def _flat(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer with a column for each class: `probabilities.setosa`."""
    flat: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": part for key, part in value.items()}
        else:
            flat[name] = value
    return flat


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _worded(error: RequestError) -> str:
    problems = [f"{line.field}: {line.problem}" for line in error.errors]
    return "; ".join(problems) or error.detail
