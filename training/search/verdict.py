"""What is asked of a search, and what it came to, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from scoring.models import Model
from training.errors import Refused, TrainingError
from training.evaluation.metrics import deciding_metric
from training.search import choose, folds, plots
from training.search.journal import Journal
from training.search.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is searched for, and where it is kept."""

    settings: Settings
    model: Model
    frame: pd.DataFrame  # the rows that a search may see
    digests: Mapping[str, str]  # of the files they are from
    estimator: str | None
    parameters: Mapping[str, Any]  # given ones, which stay as they are
    seed: int
    output: Path
    log: Callable[[str], object]
    told: Callable[[Found], object] = lambda _found: None  # called with what it came to


@dataclass(frozen=True)
class Found:
    """What a search came to: what to train with, one line that says why, and its trials."""

    estimator: str
    parameters: dict[str, Any]
    said: str
    journal: Journal
    winner: int  # its trial

    model: Model

    def draw(self, folder: Path) -> list[str]:
        """Write the plots of the search into `folder` and return their file names."""
        return plots.draw(folder, self.journal, self.model, self.estimator)

    @property
    def file(self) -> Path:
        """The journal's file."""
        return self.journal.folder / "journal.log"


def chosen(asked: Asked, kept: Journal, parts: list[folds.Fold], default: str, ended: str) -> Found:
    """Return what wins, and say so. Raises TrainingError where nothing was found, Refused where no
    trial keeps the limits, KeyboardInterrupt where Ctrl-C came before the first was done."""
    model, weights = asked.model, folds.weights(parts)
    counted = kept.counted()
    tried = [_tried(trial, kept) for trial in counted if trial.state is TrialState.COMPLETE]
    if not tried:
        if ended == "Ctrl-C":
            raise KeyboardInterrupt
        raise TrainingError(
            f"search: none of {len(counted)} trials came to its end"
            + (f" within {ended}; give it more time, --resume goes on" if ended else "")
        )
    fitting = [one for one in tried if one.fits]
    if not fitting:
        least = min(tried, key=lambda one: one.size)
        us = f", {least.us:.3g} us" if least.us is not None else ""
        raise Refused(
            f"search: none of {len(tried)} models keeps --max-us and --max-bytes; the smallest has "
            f"{least.size} bytes{us}; nothing was written"
        )
    first = kept.default()
    usual = next((one for one in tried if first and one.number == first.number), None)
    known = usual if usual is not None and usual.fits else None
    verdict = choose.choose(known, fitting, weights, asked.seed)

    def metric(one: choose.Tried) -> str:
        return f"{deciding_metric(model)} {folds.shown(model, one.loss(weights)):.6g}"

    stopped = sum(trial.state is TrialState.PRUNED for trial in counted)
    asked.log(
        f"search: {len(counted)} of {asked.settings.trials} trials"
        + (f" (ended by {ended})" if ended else "")
        + f", {stopped} stopped early, {len(tried)} to their end"
    )
    chance = "" if verdict.chance is None else f" (p = {verdict.chance:.2g})"
    if verdict.winner is None:
        assert known is not None  # noqa: S101  # without a default something wins
        said = (
            f"search: the best of {len(tried)}, {verdict.best.estimator} with "
            f"{metric(verdict.best)} on folds, is no better than the default, {default} with "
            f"{metric(known)}, beyond noise{chance}: the default is kept"
        )
        winner = known
    else:
        winner = verdict.winner
        smaller = (
            "" if winner is verdict.best else f", smaller than the best, {metric(verdict.best)}"
        )
        over = "which exceeds a limit" if usual is not None else "which failed"
        against = metric(known) + chance if known is not None else over
        said = (
            f"search: {winner.estimator} with {metric(winner)} on folds, {winner.size} bytes"
            f"{smaller}; the default is {default}, {against}"
        )
    asked.log(said)
    parameters = {**asked.parameters, **winner.parameters}
    return Found(winner.estimator, parameters, said, kept, winner.number, model)


def _tried(trial: FrozenTrial, kept: Journal) -> choose.Tried:
    has = trial.user_attrs
    return choose.Tried(
        trial.number, has["estimator"], has["parameters"], np.array(has["losses"]), has["size"],
        has["us"], kept.fits(trial),
    )  # fmt: skip
