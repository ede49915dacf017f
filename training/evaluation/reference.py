"""Make the profile that goes with an artifact: what a monitor compares predictions with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scoring.models import Model
from scoring.profiles.bins import day_to_day
from scoring.profiles.categories import text_of
from scoring.profiles.fields import FieldKind, field_kinds
from scoring.profiles.numbers import scale_for
from scoring.profiles.performance import measure
from scoring.profiles.profile import CategoryColumn, Column, NumberColumn, Profile, count
from training.sources import WHEN

if TYPE_CHECKING:
    from training.evaluation.metrics import Values


def reference(
    model: Model, learned: pd.DataFrame, split: str, held_out: pd.DataFrame, scores: Values
) -> Profile:
    """Return the distributions of the fields over the rows `learned` from, and those of score,
    target and error over the rows of `split`, which the model has not seen.

    `scores` are those of `held_out`, n_rows floats. Of several classes, (n_rows, n_classes), the
    score is the probability of the most likely one, and its truth whether it is right. Where the
    rows are dated, it also says how much the days differ from each other.
    """
    kinds = field_kinds(model)
    if model.classes:
        from training.evaluation.metrics import places_of  # and scikit-learn

        truth = (scores.argmax(axis=1) == places_of(held_out, model)).astype(np.float64)
        scores = scores.max(axis=1)
    else:
        truth = held_out[model.target].to_numpy(dtype=np.float64)
    columns = columns_of(learned, kinds)
    scales = {
        name: scale_for(column.values[~np.isnan(column.values)])
        for name, column in columns.items()
        if isinstance(column, NumberColumn)
    } | {"": scale_for(scores)}
    zeros = np.zeros(len(learned))
    [fields] = count(model.name, columns, zeros, scales)
    of_held_out = columns_of(held_out, kinds)
    is_class = model.task == "classification"
    target = {model.target: _category(held_out[model.target]) if is_class else NumberColumn(truth)}
    [outcome] = count(model.name, target, scores, scales)
    segments = {
        name: (column.codes, column.names)
        for name, column in of_held_out.items()
        if isinstance(column, CategoryColumn)
    }
    moves = _moves(model, learned, columns, zeros, scales)
    moves.pop("", None)  # of the zeros
    of_scores = _moves(model, held_out, {}, scores, scales)
    return replace(
        fields,
        score=outcome.score,
        target=outcome.fields[model.target],
        day_to_day=moves | of_scores,
        performance=measure(split, scores, truth, outcome.score, segments),
    )


def columns_of(frame: pd.DataFrame, kinds: dict[str, FieldKind]) -> dict[str, Column]:
    """Return the fields of a checked table as a profile counts them."""
    return {
        name: NumberColumn(pd.to_numeric(frame[name]).to_numpy(dtype=np.float64, na_value=np.nan))
        if kind == "number"
        else _category(frame[name])
        for name, kind in kinds.items()
    }


def _category(column: pd.Series[Any]) -> CategoryColumn:
    codes, distinct = pd.factorize(column)
    return CategoryColumn(codes, [text_of(value) for value in distinct.tolist()])


def _moves(
    model: Model, frame: pd.DataFrame, columns: dict[str, Column], scores: Any, scales: Any
) -> dict[str, float]:
    """Return how much each field, and the score under the empty name, moves from day to day."""
    if WHEN not in frame or not len(frame):
        return {}
    days = frame[WHEN].dt.normalize().to_numpy()
    order = np.argsort(days, kind="stable")
    days = days[order]
    starts = np.flatnonzero(np.concatenate([[True], days[1:] != days[:-1]]))
    ordered: dict[str, Column] = {
        name: NumberColumn(column.values[order])
        if isinstance(column, NumberColumn)
        else column._replace(codes=column.codes[order])
        for name, column in columns.items()
    }
    by_day = count(model.name, ordered, scores[order], scales, starts.tolist())
    [whole] = count(model.name, ordered, scores[order], scales)
    moves = {
        name: day_to_day([day.fields[name] for day in by_day], sketch)
        for name, sketch in whole.fields.items()
    }
    moves[""] = day_to_day([day.score for day in by_day], whole.score)
    return {name: round(move, 8) for name, move in moves.items() if move}
