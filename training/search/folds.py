"""Rows of a search in folds, and their features in files that each process maps into its memory.

Rows that are dated are cut by time: each fold learns from what was before those that it is judged
on. Others are shuffled, each class in the same share. The rows that a fold is judged on are in
*blocks*, each of which has a loss of its own: how much the losses of two trials differ from block
to block says what a difference is worth.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from scoring.models import Model
from training.contest import Candidate
from training.errors import TrainingError
from training.evaluation.metrics import Places, Values, places_of
from training.fit.features import fit_transform, narrow, transform
from training.fit.means import tell_columns
from training.fit.pair import truth_of
from training.sources import WHEN, Source

_BY_TIME: Final = 3  # folds, of blocks each
_TIME_BLOCKS: Final = 4
_SHUFFLED: Final = 5
_SHUFFLED_BLOCKS: Final = 2
_FEWEST: Final = 60  # rows


@dataclass(frozen=True)
class Fold:
    """Places of the rows to learn from, of those to judge on, and the block of each of these."""

    learned: Places
    judged: Places
    blocks: Places


@dataclass(frozen=True)
class Prepared:
    """One fold for one estimator, as a process reads it: matrices are mapped, not loaded."""

    x: Any
    y: Any
    judged_x: Any
    judged_y: Any  # as the estimator learns it
    truth: Any  # of the rows judged on: numbers, of several classes their places
    blocks: Places

    def of_columns(self, places: Places) -> Prepared:
        """Return the same with the columns at `places` alone."""
        return replace(self, x=self.x[:, places], judged_x=self.judged_x[:, places])


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows from the earliest to the latest where they are dated."""
    if WHEN in frame.columns:
        return frame.sort_values(WHEN, kind="stable", ignore_index=True)
    return frame.reset_index(drop=True)


def cut(frame: pd.DataFrame, model: Model, seed: int) -> list[Fold]:
    """Return the folds of `ordered` rows. Raises TrainingError where they are too few."""
    if len(frame) < _FEWEST:
        raise TrainingError(f"a search needs {_FEWEST} rows or more; there are {len(frame)}")
    if WHEN in frame.columns:
        parts = TimeSeriesSplit(_BY_TIME).split(frame)
        return [Fold(a, b, np.arange(len(b)) * _TIME_BLOCKS // len(b)) for a, b in parts]
    classes = frame[model.target].to_numpy() if model.task == "classification" else None
    if classes is not None and (fewest := frame[model.target].value_counts().min()) < 10:
        raise TrainingError(f"a search needs 10 rows or more of each class; one has {fewest}")
    kind = KFold if classes is None else StratifiedKFold
    made = kind(_SHUFFLED, shuffle=True, random_state=seed).split(frame, classes)
    return [Fold(a, b, _alternating(b, classes)) for a, b in made]


def _alternating(judged: Places, classes: Any) -> Places:
    """Return blocks in which each class has the same share."""
    order = (
        np.arange(len(judged)) if classes is None else np.argsort(classes[judged], kind="stable")
    )
    blocks = np.empty(len(judged), dtype=np.intp)
    blocks[order] = np.arange(len(judged)) % _SHUFFLED_BLOCKS
    return blocks


def weights(folds: Iterable[Fold]) -> Values:
    """Return the share of the rows that each block has, fold by fold."""
    counts = np.concatenate([np.bincount(fold.blocks) for fold in folds]).astype(np.float64)
    shares: Values = counts / counts.sum()
    return shares


def losses(model: Model, truth: Any, scores: Values, blocks: Places) -> list[float]:
    """Return the loss of each block: the mean squared error, 1 - AUC, or of several classes half of
    the squared error over all classes. Less is better."""
    if model.classes:
        each = ((scores - np.eye(len(model.classes))[truth]) ** 2).sum(axis=1) / 2
    elif model.task == "regression":
        each = (scores - truth) ** 2
    else:
        parts = [blocks == block for block in range(blocks.max() + 1)]
        return [float(1 - roc_auc_score(truth[part], scores[part])) for part in parts]
    return [float(v) for v in np.bincount(blocks, each) / np.bincount(blocks)]


def shown(model: Model, loss: float) -> float:
    """Return a loss as the metric by which models are compared: RMSE, AUC or Brier score."""
    if model.classes:
        return loss
    return float(np.sqrt(loss)) if model.task == "regression" else 1 - loss


def prepare(
    folder: Path,
    frame: pd.DataFrame,
    folds: list[Fold],
    model: Model,
    source: Source,
    candidates: Iterable[Candidate],
) -> None:
    """Write the features of each fold, fitted on what it learns from, for each of `candidates`.

    Those that are a Pipeline get what its steps before the last make of them: a search changes the
    last one only. Raises TrainingError where the disk has no room.
    """
    folder.mkdir(exist_ok=True)
    for number, fold in enumerate(folds):
        learned, judged = frame.iloc[fold.learned], frame.iloc[fold.judged]
        of_fold = places_of(judged, model) if model.classes else judged[model.target].to_numpy()
        of_features: dict[bool, tuple[DictVectorizer, Any, Any]] = {}  # of one kind, made once
        for one in candidates:
            kind = one.model is model
            if kind not in of_features:
                vectorizer = DictVectorizer(sparse=source.sparse)
                x = narrow(fit_transform(vectorizer, learned, one.model))
                judged_x = narrow(transform(vectorizer, judged, one.model))
                of_features[kind] = vectorizer, x, judged_x
            vectorizer, x, judged_x = of_features[kind]
            y, judged_y = (truth_of(rows, one.estimator, model) for rows in (learned, judged))
            tell_columns(one.estimator, vectorizer, x)
            head = one.estimator[:-1] if hasattr(one.estimator, "steps") else None
            made = x if head is None else head.fit_transform(x, y)
            seen = judged_x if head is None else head.transform(judged_x)
            prepared = Prepared(made, y, seen, judged_y, of_fold, fold.blocks)
            _write(_file(folder, number, one.name), prepared)
            if number == len(folds) - 1:
                _write(folder / f"pair-{one.name}.joblib", (vectorizer, head))


def read(folder: Path, number: int, name: str) -> Prepared:
    """Return one fold for an estimator, its arrays mapped into memory."""
    found: Prepared = joblib.load(_file(folder, number, name), mmap_mode="r")
    return found


def read_pair(folder: Path, name: str) -> tuple[DictVectorizer, Any]:
    """Return the vectorizer of the last fold and the steps before the last, None without such."""
    found: tuple[DictVectorizer, Any] = joblib.load(folder / f"pair-{name}.joblib")
    return found


def _file(folder: Path, number: int, name: str) -> Path:
    return folder / f"fold-{number}-{name}.joblib"


def _write(path: Path, value: Any) -> None:
    try:
        joblib.dump(value, path)
    except OSError as error:
        free = shutil.disk_usage(path.parent).free >> 20
        raise TrainingError(f"the features of a search cannot be written to {path}: {error}; "
                            f"{free} MB are free") from error  # fmt: skip
