"""What a model card shows, from the manifest and the pair.

A manifest is a file that somebody may have edited: what has not the expected shape is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from scoring.predictor import Predictor
from scoring.scorers.classes import Classes
from scoring.scorers.linear import Linear
from serving.fields import fields
from serving.pages.names import Named, of_feature, of_value
from serving.pages.numbers import number, share

TOP_WEIGHTS: Final = 20
_LARGEST_MATRIX: Final = 20  # classes

# How to read a metric: its name, and what it says. Others are shown by their key.
_METRICS: Final = {
    "rmse": ("RMSE", "typical error, large ones weigh more; lower is better"),
    "mae": ("MAE", "average error; lower is better"),
    "r2": ("R²", "share of the variation that is explained; higher is better, 1 at most"),
    "auc": ("ROC AUC", "how well it ranks: 0.5 by chance, 1 perfect"),
    "accuracy": ("Accuracy", "share of right decisions; higher is better"),
    "precision": ("Precision", "share of the predicted cases that were ones"),
    "recall": ("Recall", "share of the real cases that it found"),
    "log_loss": ("Log loss", "surprise at the real class; lower is better"),
    "f1_macro": ("F1, macro", "precision and recall together, each class alike; 1 at most"),
    "brier": ("Brier score", "squared error of the probability; lower is better"),
    "bias": ("Bias", "predicted minus actual, on average"),
    "predicted": ("Predicted, on average", ""),
    "actual": ("Came true", ""),
    "rows": ("Rows", ""),
}


# Plots by the name of their file; another is shown by its own.
_PLOTS: Final = {
    "roc": "ROC",
    "precision_recall": "Precision and recall",
    "calibration": "Calibration",
    "confusion_matrix": "Confusion matrix",
}
_DIGITS: Final = 3  # of a metric: a test of thousands of rows knows no more


class Metric(NamedTuple):
    """A line of the table of metrics, next to the trivial model's."""

    name: str
    meaning: str
    value: str
    baseline: str


class Table(NamedTuple):
    """Column heads, and rows of texts."""

    heads: list[str]
    rows: list[list[str]]


def trivial(predictor: Predictor) -> str:
    """Return the name of the model that any other must beat."""
    return "class rate" if predictor.model.task == "classification" else "mean"


def held_out(predictor: Predictor) -> str:
    """Return the name of the data that the metrics to believe are from.

    The last split, the test where there is one; empty where the manifest has no metrics.
    """
    splits = [name for name, found in predictor.manifest.metrics.items() if "rows" in found]
    return splits[-1] if splits else ""


def metrics(predictor: Predictor, split: str) -> list[Metric]:
    """Return the metrics of a split."""
    baseline = predictor.manifest.baseline.get(split, {})
    found = []
    for key, value in predictor.manifest.metrics.get(split, {}).items():
        if key == "rows" or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        name, meaning = _METRICS.get(key, (key, ""))
        if key in {"rmse", "mae"}:
            name += f" ({predictor.model.unit})"
        value, trivial_value = (number(one, _DIGITS) for one in (value, baseline.get(key)))
        found.append(Metric(name, meaning, value, trivial_value))
    return found


def left_out(predictor: Predictor) -> str:
    """Return which share of the real rows is in no metric, because training left them out; empty
    where it left none out or does not say."""
    dropped = sum(predictor.manifest.dropped.values())
    used = sum(data.rows for data in predictor.manifest.data.values())
    if not dropped or not used:
        return ""
    return f"{share(dropped / (dropped + used))} of the real rows are in no metric"


def plots(predictor: Predictor) -> dict[str, str]:
    """Return the plots that add to what the page says, by file, each with its name. The confusion
    matrix stands there as a table."""
    shown = dict.fromkeys(predictor.artifact.plots)
    split = held_out(predictor)
    if split and confusion(predictor, split):
        shown.pop("confusion_matrix.png", None)
    stems = {name: name.removesuffix(".png") for name in shown}
    return {
        name: _PLOTS.get(stem, stem.replace("_", " ").capitalize()) for name, stem in stems.items()
    }


def segments(predictor: Predictor, split: str) -> Table | None:
    """Return the metrics by band of the data, where training made bands, or by class."""
    found = predictor.manifest.metrics.get(split, {})
    name = "class" if predictor.model.classes else "band"
    bands = found.get("by_class" if predictor.model.classes else "bands")
    if not isinstance(bands, list) or not all(isinstance(band, Mapping) for band in bands):
        return None
    keys = list(dict.fromkeys(key for band in bands for key in band if key != name))
    first = "Class" if predictor.model.classes else "Segment"
    heads = [first, *(_METRICS.get(key, (key, ""))[0] for key in keys)]
    rows = [
        [str(band.get(name, "")), *(number(band.get(key), _DIGITS) for key in keys)]
        for band in bands
    ]
    return Table(heads, rows) if rows else None


def confusion(predictor: Predictor, split: str) -> list[list[str]] | None:
    """Return the confusion matrix, actual by predicted; of dozens of classes it is no table that
    anybody reads."""
    matrix: Any = predictor.manifest.metrics.get(split, {}).get("confusion_matrix")
    square = isinstance(matrix, list) and [len(row) for row in matrix if isinstance(row, list)]
    size = len(predictor.model.classes) or 2
    if size > _LARGEST_MATRIX or square != [size] * size:
        return None
    return [[number(cell) for cell in row] for row in matrix]


def profile(predictor: Predictor) -> Table | None:
    """Return what the training data looks like, field by field; numbers that are names have neither
    a range nor a mean."""
    rows = []
    known = fields(predictor.model)
    for name, entry in predictor.manifest.profile.items():
        often = entry.get("most_frequent")
        pairs = [pair for pair in often if len(pair) == 2][:3] if isinstance(often, list) else []
        measured = "min" in entry and not (name in known and known[name].names)
        rows.append(
            [
                name,
                number(entry.get("distinct")),
                f"{number(entry['min'])} to {number(entry.get('max'))}" if measured else "",
                number(entry["mean"], _DIGITS) if measured and "mean" in entry else "",
                ", ".join(f"{_often(predictor, name, value)} ({number(n)})" for value, n in pairs),
            ]
        )
    return Table(["Field", "Distinct", "Range", "Mean", "Most frequent"], rows) if rows else None


def _often(predictor: Predictor, field: str, value: object) -> str:
    found = of_value(predictor.model, field, value)
    return f"{found.code} {found.words}" if found.code else str(value)


class Effect(NamedTuple):
    """A feature with its weight, and what that makes of a usual difference between two rows."""

    feature: Named
    weight: str
    effect: str


def effects(predictor: Predictor) -> list[Effect]:
    """Return the weights that move answers most, the largest effect first; empty where the manifest
    does not say how much the features vary."""
    linear = predictor.scorer.linear()
    weights = dict(linear.columns()) if linear is not None else {}
    spread = {k: v for k, v in predictor.manifest.spread.items() if k in weights}
    largest = sorted(spread, key=lambda name: -abs(weights[name] * spread[name]))[:TOP_WEIGHTS]
    return [
        Effect(
            of_feature(predictor.model, name),
            number(weights[name], _DIGITS),
            number(abs(weights[name] * spread[name]), _DIGITS),
        )
        for name in largest
    ]


def named(predictor: Predictor, found: Iterable[tuple[str, float]]) -> list[tuple[Named, str]]:
    """Return the first features of `features`, in words."""
    first = list(found)[:TOP_WEIGHTS]
    return [(of_feature(predictor.model, name), number(value, _DIGITS)) for name, value in first]


def features(predictor: Predictor) -> tuple[str, list[tuple[str, float]]]:
    """Return every feature with its number, the largest first.

    The first value says what the numbers are: `weight`, `importance`, or nothing where the
    estimator has neither.
    """
    linear = predictor.scorer.linear()
    if linear is not None:
        return "weight", _largest_first(linear.columns())
    if by_class := _linear_by_class(predictor):
        return "weight", _largest_first(
            (f"{name} for {label}", weight)
            for label, one in by_class.items()
            for name, weight in one.columns()
        )
    values = predictor.scorer.importances()
    if values is None:
        return "", []
    return "importance", _largest_first(zip(predictor.manifest.feature_names, values, strict=True))


def weights_document(predictor: Predictor) -> dict[str, Any]:
    """Return all features with their numbers, for programs."""
    kind, found = features(predictor)
    linear = predictor.scorer.linear()
    document: dict[str, Any] = {
        "model": predictor.model.name,
        "model_version": predictor.version,
        "estimator": predictor.manifest.estimator,
        "kind": kind or "none",
    }
    if by_class := _linear_by_class(predictor):
        document["intercept"] = {label: one.intercept for label, one in by_class.items()}
        return {
            **document,
            "features": {label: dict(one.columns()) for label, one in by_class.items()},
        }
    if linear is not None:
        document["intercept"] = linear.intercept
    return {**document, "features": dict(found)}


def _linear_by_class(predictor: Predictor) -> dict[str, Linear]:
    """Return the weights of each of several classes, where they are linear."""
    scorer = predictor.scorer
    if not isinstance(scorer, Classes):
        return {}
    found = ((label, scorer.of_class(at)) for at, label in enumerate(scorer.classes))
    return {label: one for label, one in found if one is not None}


def _largest_first(found: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(found, key=lambda pair: (-abs(pair[1]), pair[0]))
