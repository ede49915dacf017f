"""Measures a model on data that it has not seen, next to the trivial model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.model_selection import KFold, StratifiedKFold
from tqdm import tqdm

from scoring.models import Model
from training.errors import TrainingError
from training.sources import Source

Metrics = dict[str, Any]
# (n_rows,) scores; of several classes (n_rows, n_classes)
Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Places = np.ndarray[tuple[int], np.dtype[np.intp]]


def evaluate(
    model: Model, source: Source, frame: pd.DataFrame, scores: Values, threshold: float
) -> Metrics:
    """Return the metrics of `scores`.

    These are n_rows floats: predicted values, or probabilities of the positive class; of several
    classes (n_rows, n_classes) probabilities.
    """
    if model.classes:
        places = places_of(frame, model)
        right = scores.argmax(axis=1) == places
        found = several_classes(places, scores, model.classes)
        return {**found, "bands": _by_probability(scores.max(axis=1), right)}
    truth = frame[model.target].to_numpy(dtype=np.float64)
    if model.task == "classification":
        found = classification(truth, scores, threshold)
        return {**found, "bands": _by_probability(scores, truth)}
    found = regression(truth, scores)
    if source.bands:
        name, edges = source.bands
        found["bands"] = _by_band(frame[name].to_numpy(), edges, truth, scores, name)
    return found


def regression(truth: Values, scores: Values) -> Metrics:
    """Return RMSE and MAE, both in the target's unit, and R²."""
    return {
        "rows": len(truth),
        "rmse": float(metrics.root_mean_squared_error(truth, scores)),
        "mae": float(metrics.mean_absolute_error(truth, scores)),
        "r2": float(metrics.r2_score(truth, scores)),
    }


def classification(truth: Values, scores: Values, threshold: float) -> Metrics:
    """Return AUC, Brier score and, at `threshold`, accuracy, precision, recall, confusion matrix.

    The matrix is [[true negatives, false positives], [false negatives, true positives]]. AUC is
    None where the rows are all of one class.
    """
    decided = scores >= threshold
    both = len(np.unique(truth)) == 2
    return {
        "rows": len(truth),
        "auc": float(metrics.roc_auc_score(truth, scores)) if both else None,
        "accuracy": float(metrics.accuracy_score(truth, decided)),
        "precision": float(metrics.precision_score(truth, decided, zero_division=0)),
        "recall": float(metrics.recall_score(truth, decided, zero_division=0)),
        "brier": float(metrics.brier_score_loss(truth, scores)),
        "confusion_matrix": metrics.confusion_matrix(truth, decided, labels=[0, 1]).tolist(),
    }


def several_classes(truth: Places, scores: Values, classes: Sequence[str]) -> Metrics:
    """Return log loss, Brier score (half of the squared error over all classes) and, deciding for
    the most likely class, accuracy, the mean F1 of the classes, precision, recall and F1 of each,
    and the confusion matrix, actual by predicted."""
    places = range(len(classes))
    scores = scores / scores.sum(axis=1, keepdims=True)  # XGBoost's add up to 1 in 32 bits only
    decided = scores.argmax(axis=1)
    each = metrics.precision_recall_fscore_support(
        truth, decided, labels=[*places], zero_division=0
    )
    return {
        "rows": len(truth),
        "log_loss": float(metrics.log_loss(truth, scores, labels=[*places])),
        "brier": float(((scores - np.eye(len(classes))[truth]) ** 2).sum(axis=1).mean() / 2),
        "accuracy": float(metrics.accuracy_score(truth, decided)),
        "f1_macro": float(np.mean(each[2])),
        "by_class": [
            {
                "class": name,
                "rows": int(rows),
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
            }
            for name, precision, recall, f1, rows in zip(classes, *each, strict=True)
        ],
        "confusion_matrix": metrics.confusion_matrix(truth, decided, labels=[*places]).tolist(),
    }


def places_of(frame: pd.DataFrame, model: Model) -> Places:
    """Return the place of each row's class among the model's."""
    place = {name: at for at, name in enumerate(model.classes)}
    return np.array(frame[model.target].map(place), dtype=np.intp)


def baseline_scores(training: pd.DataFrame, model: Model, rows: int) -> Values:
    """Return `rows` times the mean of the training target; of a class that is its rate."""
    if model.classes:
        counts = np.bincount(places_of(training, model), minlength=len(model.classes))
        return np.tile(counts / counts.sum(), (rows, 1))
    return np.full(rows, training[model.target].to_numpy(dtype=np.float64).mean())


def beats(model: Model, found: Metrics, baseline: Metrics) -> bool:
    """Return whether the model is better than the trivial one.

    That is a smaller RMSE, or a smaller Brier score and an AUC above 0.5, or of several classes a
    smaller Brier score: a forest that is nearly always right and once certain of what is wrong has
    an endless log loss.
    """
    if model.classes:
        return bool(found["brier"] < baseline["brier"])
    if model.task == "regression":
        return bool(found["rmse"] < baseline["rmse"])
    return bool(found["brier"] < baseline["brier"] and (found["auc"] or 0) > 0.5)


def deciding_metric(model: Model) -> str:
    """Return the metric that decides: "rmse" or of several classes "brier", where less is better,
    or "auc", where more is."""
    if model.classes:
        return "brier"
    return "rmse" if model.task == "regression" else "auc"


def cross_validate(
    model: Model,
    frame: pd.DataFrame,
    folds: int,
    seed: int,
    fit_and_score: Callable[[pd.DataFrame, pd.DataFrame], Values],
) -> Metrics:
    """Return the deciding metric over `folds` shuffled folds: of each, and their mean and
    deviation."""
    name = deciding_metric(model)
    if folds > len(frame):
        raise TrainingError(
            f"{folds} folds of {len(frame)} rows; at least one row each is expected"
        )
    values = []
    # of several classes each fold has its share: a model that never saw one knows nothing of it
    kind = StratifiedKFold if model.classes else KFold
    cut = kind(folds, shuffle=True, random_state=seed)
    parts = list(cut.split(frame, frame[model.target] if model.classes else None))
    for training, held_out in tqdm(parts, "cross-validation", unit="fold", disable=None):
        rest = frame.iloc[held_out]
        scores = fit_and_score(frame.iloc[training], rest)
        if model.classes:
            found = several_classes(places_of(rest, model), scores, model.classes)
        else:
            truth = rest[model.target].to_numpy(dtype=np.float64)
            measure = regression if name == "rmse" else partial(classification, threshold=0.5)
            found = measure(truth, scores)
        if found[name] is None:
            raise TrainingError(
                f"one of {folds} folds, of {len(rest)} rows, holds one class of {model.target} "
                "only; both are expected: take fewer folds"
            )
        values.append(found[name])
    return {
        "metric": name,
        "folds": values,
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
    }


def table(found: dict[str, Metrics], baseline: dict[str, Metrics], trivial: str) -> str:
    """Return the metrics of every split as lines for a terminal, in columns that fit the longest
    name."""
    names = [split + f" ({values['rows']} rows)" for split, values in found.items()]
    for values in found.values():
        names += [one["class"] for one in values.get("by_class", [])]
        names += [band["band"] for band in values.get("bands", [])]
    width = max(20, *map(len, names))
    lines = []
    for split, values in found.items():
        rows = f"{split} ({values['rows']} rows)"
        lines.append(f"{rows:{width + 2}}{'model':>14}{trivial:>16}")
        for name, value in values.items():
            if isinstance(value, float):
                lines.append(f"  {name:{width}}{value:>14.6f}{baseline[split][name]:>16.6f}")
        if matrix := values.get("confusion_matrix"):
            lines.append(f"  {'confusion matrix':{width}}{matrix}")
        lines += [
            f"  {one['class']:{width}}{one['precision']:>14.4f} precision"
            f"{one['recall']:>9.4f} recall{one['rows']:>9} rows"
            for one in values.get("by_class", [])
        ]
        lines += [_band_in_words(band, width) for band in values.get("bands", [])]
    return "\n".join(lines)


def _band_in_words(band: dict[str, Any], width: int) -> str:
    if "actual" in band:
        both = f"{band['predicted']:>14.4f} predicted{band['actual']:>9.4f} came true"
    else:
        both = f"{band['rmse']:>14.6f} rmse{band['bias']:>11.4f} bias"
    return f"  {band['band']:{width}}{both}{band['rows']:>9} rows"


def _by_probability(scores: Values, happened: Any) -> list[dict[str, Any]]:
    """Return, by tenth of the probability, how many rows were given one like it, its mean, and of
    which share it came true; `scores` and `happened`, 0 or 1, are (n_rows,)."""
    tenth = np.clip(np.floor(scores * 10 + 1e-9), 0, 9).astype(int)
    return [
        {
            "band": f"probability {place / 10:g}-{(place + 1) / 10:g}",
            "rows": int((tenth == place).sum()),
            "predicted": float(scores[tenth == place].mean()),
            "actual": float(happened[tenth == place].mean()),
        }
        for place in np.unique(tenth)
    ]


def _by_band(
    values: Values, edges: tuple[float, ...], truth: Values, scores: Values, name: str
) -> list[dict[str, Any]]:
    bands = []
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if not inside.any():
            continue
        error = scores[inside] - truth[inside]
        bands.append(
            {
                "band": f"{name} {low:g}+" if high == float("inf") else f"{name} {low:g}-{high:g}",
                "rows": int(inside.sum()),
                "rmse": float(np.sqrt((error**2).mean())),
                "mae": float(np.abs(error).mean()),
                "bias": float(error.mean()),
            }
        )
    return bands
