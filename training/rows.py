"""Rows as a training sees them, for what works with an artifact beside its training: read and
checked, scored, measured, described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from scoring.models import Model
from scoring.predictor import Predictor
from scoring.profiles.fields import field_kinds
from scoring.profiles.numbers import scale_for
from scoring.profiles.profile import NumberColumn, Profile, count
from scoring.values.shares import numbers_of
from training.data.checks import Checked, check
from training.data.tables import read, read_raw
from training.evaluation.reference import columns_of
from training.fit.combinations import by_row
from training.sources import WHEN, source_of

if TYPE_CHECKING:
    from training.evaluation.metrics import Metrics, Values

__all__ = ["WHEN", "deciding_metric", "described", "measure", "prepare", "raw_with_times",
           "scores_of", "usable"]  # fmt: skip

_SLICE: Final = 100_000  # rows scored at once: the features of each are a dictionary


def usable(model: Model, paths: Sequence[Path], max_dropped: float = 1) -> Checked:
    """Return the valid rows of these files and why others were left out. Raises TrainingError for
    files that cannot be read, and Refused where a larger share than `max_dropped` is left out."""
    source = source_of(model)
    return check(read(model, source, paths), model, source, max_dropped=max_dropped)


def raw_with_times(
    model: Model, paths: Sequence[Path]
) -> tuple[pd.DataFrame, pd.Series[pd.Timestamp] | None]:
    """Return the rows of these files as they are, numbered from 0, and when each was known; None
    where they are not dated. Raises TrainingError for files that cannot be read."""
    raw = read_raw(paths)
    tidy = source_of(model).tidy(raw)
    return raw, tidy.get(WHEN)


def scores_of(predictor: Predictor, frame: pd.DataFrame) -> Values:
    """Return the scores of checked rows, in order: (n_rows,), of several classes (n_rows,
    n_classes)."""
    model = predictor.model
    slices = (frame[start : start + _SLICE] for start in range(0, len(frame), _SLICE))
    each = [numbers_of(s) for rows in slices for s in predictor.scores(by_row(rows, model))]
    return np.array(each) if model.classes else np.ravel(each)


def prepare() -> None:
    """Import what `measure` needs: scikit-learn, which takes a second."""
    from training.evaluation import metrics  # noqa: F401


def deciding_metric(model: Model) -> str:
    """Return the metric that decides, of those of `measure`."""
    from training.evaluation import metrics

    return metrics.deciding_metric(model)


def measure(predictor: Predictor, frame: pd.DataFrame, scores: Values) -> Metrics:
    """Return the metrics of training for checked rows and their scores."""
    from training.evaluation import metrics

    model = predictor.model
    return metrics.evaluate(model, source_of(model), frame, scores, predictor.manifest.threshold)


def described(
    model: Model, frame: pd.DataFrame, scales: Mapping[str, int] | None = None
) -> Profile:
    """Return the distributions of the fields of checked rows, numbers in cells of these `scales`:
    those of the profile that they are compared with (default: their own). The score is that of no
    model."""
    columns = columns_of(frame, field_kinds(model))
    own = {
        name: scale_for(column.values[~np.isnan(column.values)])
        for name, column in columns.items()
        if isinstance(column, NumberColumn)
    }
    zeros = np.zeros(len(frame))
    [profile] = count(model.name, columns, zeros, {**own, "": scale_for(zeros), **(scales or {})})
    return profile
