"""Draws how a search went, and which parameters mattered, beside the model's other plots."""

from __future__ import annotations

import warnings
from pathlib import Path

import optuna
from matplotlib.figure import Figure
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from scoring.models import Model
from training.evaluation.metrics import deciding_metric
from training.search.folds import shown
from training.search.journal import Journal

_FEWEST = 8  # trials of an estimator, below which importances are noise


def draw(folder: Path, journal: Journal, model: Model, estimator: str) -> list[str]:
    """Write the plots of a search into `folder` and return their file names; the importance is that
    of the parameters of `estimator`, where enough trials tell it."""
    figures = {"search_history.png": _history(journal, model)}
    if (importance := _importance(journal, estimator)) is not None:
        figures["search_importance.png"] = importance
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=100)
    return list(figures)


def _history(journal: Journal, model: Model) -> Figure:
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    metric = deciding_metric(model)
    axes = figure.add_subplot(title="Search", xlabel="trial", ylabel=f"{metric} on folds")
    trials = journal.counted()
    done = [t for t in trials if t.state is TrialState.COMPLETE and t.value is not None]
    for name in sorted({t.user_attrs["estimator"] for t in done}):
        own = [t for t in done if t.user_attrs["estimator"] == name]
        axes.scatter(
            [t.number for t in own], [shown(model, t.value or 0) for t in own], s=14, label=name
        )
    found = [min(t.value or 0 for t in done[: n + 1]) for n in range(len(done))]
    axes.step([t.number for t in done], [shown(model, v) for v in found], where="post",
              color="black", linewidth=1, label="best")  # fmt: skip
    for trial in trials:
        if trial.state is TrialState.PRUNED:
            axes.axvline(trial.number, ymax=0.03, color="grey", linewidth=1)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(title=f"{sum(t.state is TrialState.PRUNED for t in trials)} stopped early (ticks)")
    return figure


def _importance(journal: Journal, estimator: str) -> Figure | None:
    names = [f"{estimator}.{name}" for name in journal.spaces.get(estimator, {})]
    done = [trial for trial in journal.counted() if trial.state is TrialState.COMPLETE]
    own = [trial for trial in done if names and set(names) <= trial.params.keys()]
    varied = [name for name in names if len({t.params[name] for t in own}) > 1]
    if len(own) < _FEWEST or len(varied) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        found = optuna.importance.get_param_importances(
            journal.study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), params=varied
        )
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(
        title=f"What mattered to {estimator}", xlabel="share of the variation"
    )
    order = sorted(found, key=lambda name: found[name])
    axes.barh([name.partition(".")[2] for name in order], [found[name] for name in order])
    return figure
