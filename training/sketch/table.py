"""A model of a table: which columns become fields, which are left out, and why."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from scoring.values.shares import class_text
from training.data.columns import require
from training.errors import TrainingError
from training.sketch.columns import field_of
from training.sketch.model_file import Field, Sketch

POSITIVE: Final = {"1", "1.0", "true", "yes", "y", "t"}
NEGATIVE: Final = {"0", "0.0", "false", "no", "n", "f"}
_MIN_ROWS: Final = 20
_MAX_CLASSES: Final = 50
_TWIN: Final = 0.9999  # a correlation that no honest column has
_FREE_TEXT: Final = 0.2  # share of different texts among the rows


def sketch_of_table(name: str, frame: pd.DataFrame, target: str, origin: str) -> Sketch:
    """Return the model that predicts the column `target` from the others.

    Raises TrainingError where there is no such column, too few rows, or nothing to predict from.
    """
    require(frame, [target])
    if len(frame) < _MIN_ROWS:
        raise TrainingError(f"{origin} has {len(frame)} rows; at least {_MIN_ROWS} are expected")
    task, classes = task_of(frame[target])
    truth = _codes(frame[target]) if classes else _numbers(frame[target])
    fields: list[Field] = []
    said = f" of {len(classes)} classes" if classes else ""
    notes = [f"{target}: a {task}{said}"]
    for column in frame.columns:
        if column == target:
            continue
        if reason := left_out(frame[column], truth, names=bool(classes)):
            notes.append(f"{column}: left out, {reason}")
            continue
        field = field_of(frame[column])
        fields.append(field)
        notes.append(f"{column}: {_said(field)}")
    if not fields:
        raise TrainingError(f"no column of {origin} is left to predict {target} from: "
                            f"{'; '.join(notes[1:])}")  # fmt: skip
    if len({field.name for field in fields}) != len(fields):
        raise TrainingError(f"two columns of {origin} would have the same name as a field")
    features = {
        field.name: field.code(
            f"int(record.{field.name})" if field.kind == "flag" else f"record.{field.name}"
        )
        for field in fields
    }
    return Sketch(name, task, target, fields, features, origin, notes, classes)


def task_of(
    target: pd.Series[Any],
) -> tuple[Literal["regression", "classification"], tuple[str, ...]]:
    """Return the task that a target asks for, and its classes where there are more than two: two
    values are classes, so are three or more words; numbers are values.

    Raises TrainingError for two words that do not say which class is the positive one, and for more
    words than anybody would call classes.
    """
    there = target.dropna()
    words = {str(value).strip().lower() for value in there.unique()[:50]}
    if len(words) == 2 and words <= POSITIVE | NEGATIVE and words & POSITIVE and words & NEGATIVE:
        return "classification", ()
    if pd.api.types.is_numeric_dtype(there) and not pd.api.types.is_bool_dtype(there):
        if there.nunique() < 2:
            raise TrainingError(f"column {target.name} has one value only: nothing to learn")
        return "regression", ()
    texts = sorted({class_text(value).strip() for value in there})
    if 2 < len(texts) <= _MAX_CLASSES:
        return "classification", tuple(texts)
    if len(texts) > _MAX_CLASSES:
        raise TrainingError(
            f"column {target.name} holds {len(texts)} different texts; numbers are expected, or at "
            f"most {_MAX_CLASSES} classes"
        )
    shown = ", ".join(sorted(repr(word) for word in words)[:5])
    raise TrainingError(
        f"column {target.name} holds {shown}; numbers are expected, or two classes as 1 and 0, yes "
        "and no, true and false, or three words or more"
    )


def left_out(column: pd.Series[Any], truth: pd.Series[Any], *, names: bool = False) -> str:
    """Say why a column is no field of the record; nothing where it may be one. `truth` are the
    target's numbers, or where they are `names` codes of classes."""
    there = column.dropna()
    name, rows, distinct = str(column.name), len(there), there.nunique()
    if distinct < 2:
        return "it has one value only"
    if pd.api.types.is_datetime64_any_dtype(there):
        return "times are no field; make numbers of them"
    # numbers of which some are missing are kept as floats
    whole = not pd.api.types.is_float_dtype(there) or bool((there % 1 == 0).all())
    numeric = pd.api.types.is_numeric_dtype(there)
    named = re.search(r"(^|[^a-z])id$|[a-z]I[Dd]$", name) is not None or name.lower() == "id"
    if whole and distinct == rows and (named or not numeric or _counts(there)):
        return "it looks like an id: each row has another"
    if numeric and not names and _is_twin(column, truth):
        return "it is the target's twin"
    if not numeric or names:
        mean = truth.groupby(column).agg(["min", "max", "count"])
        decided = bool((mean["min"] == mean["max"]).all()) and truth.nunique() > 1
        if decided and distinct == truth.nunique() and rows > 2 * distinct:
            return "it is the target's twin"
        if not numeric and distinct > max(50, _FREE_TEXT * rows):
            return f"it is free text: {distinct} different ones in {rows} rows"
    return ""


def _counts(there: pd.Series[Any]) -> bool:
    """Say whether the numbers count the rows: 17, 18, 19."""
    steps = np.diff(np.sort(there.to_numpy(dtype=float)))
    return bool(len(steps) and (steps == 1).all())


def _is_twin(column: pd.Series[Any], truth: pd.Series[Any]) -> bool:
    both = pd.concat([column.astype(float), truth], axis=1).dropna()
    if len(both) < 3 or both.iloc[:, 0].std() == 0 or both.iloc[:, 1].std() == 0:
        return False
    # or a curve of it that only rises or falls, as the logarithm is
    ways = (both, both.rank())
    return any(abs(np.corrcoef(way.T.to_numpy())[0, 1]) > _TWIN for way in ways)


def _codes(target: pd.Series[Any]) -> pd.Series[Any]:
    """Return a number for each class."""
    codes, _ = pd.factorize(target)
    return pd.Series(codes, index=target.index, name=target.name).where(target.notna())


def _numbers(target: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(target):
        return target.astype(float)
    words = target.astype("object").map(lambda value: str(value).strip().lower())
    return words.map(lambda word: 1.0 if word in POSITIVE else 0.0).where(target.notna())


def _said(field: Field) -> str:
    limits = f" from {field.low:g} to {field.high:g}" if field.low is not None else ""
    said = f", {field.description}" if field.description else ""
    return f"{kind_of(field)}{limits}{said}"


def kind_of(field: Field) -> str:
    """Return what a field is, in words."""
    words = {
        "category": f"one of {len(field.choices)} categories",
        "text": "a text", "integer": "a whole number", "number": "a number",
    }  # fmt: skip
    return words.get(field.kind, "true or false") + ", or null" * field.optional
