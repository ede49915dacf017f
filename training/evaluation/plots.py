"""Draws what a person looks at before trusting a model, as PNG files next to the artifact."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    confusion_matrix,
    precision_recall_curve,
    roc_curve,
)

from scoring.models import Model
from training.evaluation.metrics import Places, Values, places_of
from training.sources import Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROWS = 5000  # more points than these only blacken a scatter plot


def installed() -> bool:
    """Return whether plots can be drawn: `make run` does without matplotlib."""
    return find_spec("matplotlib") is not None


def draw(
    folder: Path,
    model: Model,
    source: Source,
    frame: pd.DataFrame,
    scores: Values,
    threshold: float,
) -> list[str]:
    """Write the plots of one split's `scores` into `folder` and return their file names."""
    import matplotlib as mpl

    mpl.use("Agg")  # files only: no display is needed
    if model.classes:
        figures = _several_classes(places_of(frame, model), scores, model.classes)
    elif model.task == "classification":
        figures = _classification(_numbers(frame, model), scores, threshold)
    else:
        figures = _regression(model, source, frame, _numbers(frame, model), scores)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=100)
    return list(figures)


def _numbers(frame: pd.DataFrame, model: Model) -> Values:
    return frame[model.target].to_numpy(dtype=np.float64)


def _empty(width: float, height: float = 4.5) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _figure(title: str, x: str, y: str) -> Figure:
    figure = _empty(6)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(visible=True, alpha=0.3)
    return figure


def _regression(
    model: Model, source: Source, frame: pd.DataFrame, truth: Values, scores: Values
) -> dict[str, Figure]:
    some = np.linspace(0, len(truth) - 1, min(len(truth), _ROWS)).astype(int)
    unit = f"{model.target} ({model.unit})"
    figure = _figure("Predicted against actual", f"actual {unit}", f"predicted {unit}")
    axes = figure.axes[0]
    axes.scatter(truth[some], scores[some], s=6, alpha=0.25)
    # a handful of far-off predictions must not squeeze all others into a corner
    limits = (min(truth.min(), 0.0), float(np.quantile(np.concatenate([truth, scores]), 0.999)))
    axes.plot(limits, limits, color="black", linewidth=1)
    axes.set(xlim=limits, ylim=limits)
    figures = {"predicted_against_actual.png": figure}
    if source.bands:
        name, edges = source.bands
        values = frame[name].to_numpy()
        bands = list(pairwise(edges))
        groups = [(scores - truth)[(values >= low) & (values < high)] for low, high in bands]
        labels = [f"{a:g}+" if b == float("inf") else f"{a:g}-{b:g}" for a, b in bands]
        figure = _figure(f"Error by {name}", name, f"predicted - actual ({model.unit})")
        figure.axes[0].boxplot(groups, tick_labels=labels, showfliers=False)
        figure.axes[0].axhline(0, color="black", linewidth=1)
        figures[f"error_by_{name}.png"] = figure
    return figures


def _classification(truth: Values, scores: Values, threshold: float) -> dict[str, Figure]:
    roc = _figure("ROC", "false positive rate", "true positive rate")
    false_positive, true_positive, _ = roc_curve(truth, scores)
    roc.axes[0].plot(false_positive, true_positive)
    roc.axes[0].plot([0, 1], [0, 1], color="black", linewidth=1)
    recall_precision = _figure("Precision and recall", "recall", "precision")
    precision, recall, _ = precision_recall_curve(truth, scores)
    recall_precision.axes[0].plot(recall, precision)
    recall_precision.axes[0].axhline(truth.mean(), color="black", linewidth=1)
    calibration = _figure("Calibration", "predicted probability", "share that happened")
    happened, predicted = calibration_curve(truth, scores, n_bins=10, strategy="quantile")
    calibration.axes[0].plot(predicted, happened, marker="o")
    calibration.axes[0].plot([0, 1], [0, 1], color="black", linewidth=1)
    confusion = _empty(5)
    axes = confusion.add_subplot(title=f"Confusion matrix at {threshold:g}")
    matrix = confusion_matrix(truth, scores >= threshold, labels=[0, 1])
    ConfusionMatrixDisplay(matrix).plot(ax=axes, colorbar=False)
    return {
        "roc.png": roc,
        "precision_recall.png": recall_precision,
        "calibration.png": calibration,
        "confusion_matrix.png": confusion,
    }


def _several_classes(truth: Places, scores: Values, classes: tuple[str, ...]) -> dict[str, Figure]:
    """Return how often the most likely class is right, and which is taken for which."""
    decided, top = scores.argmax(axis=1), scores.max(axis=1)
    calibration = _figure("Calibration", "probability of the most likely class", "share right")
    right, predicted = calibration_curve(decided == truth, top, n_bins=10, strategy="quantile")
    calibration.axes[0].plot(predicted, right, marker="o")
    calibration.axes[0].plot([0, 1], [0, 1], color="black", linewidth=1)
    size = 4 + 0.4 * min(len(classes), 30)
    confusion = _empty(size, size)
    axes = confusion.add_subplot(title="Confusion matrix")
    matrix = confusion_matrix(truth, decided, labels=[*range(len(classes))])
    display = ConfusionMatrixDisplay(matrix, display_labels=classes)
    display.plot(ax=axes, colorbar=False, xticks_rotation="vertical")
    return {"calibration.png": calibration, "confusion_matrix.png": confusion}
