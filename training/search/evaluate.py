"""One trial: an estimator with its parameters, fitted and judged on each fold."""

from __future__ import annotations

import pickle
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.pipeline import Pipeline

from scoring.artifact.reading import read_compiled
from scoring.compiler.compile import NotCompiled, compile_pair
from scoring.models import Model
from scoring.scorers import Scorer
from scoring.scorers.sklearn import SklearnScorer
from training.fit import columns, estimators
from training.fit.pair import scores_of
from training.search import folds
from training.search.folds import Prepared

STEPS: Final = (1 / 9, 1 / 3)  # of the rounds of boosting, at which the first fold is judged too
_TIMED: Final = 200  # records, in each of some rounds
_ROUNDS: Final = 5

# Takes the step and the mean loss so far, says whether to stop. The same step of two trials is the
# same part of their work, of whatever estimators: those of boosting, then a step for each fold.
Report = Callable[[int, float], bool]


class Pruned(Exception):
    """The trial was told to stop."""


@dataclass(frozen=True)
class Place:
    """Where the folds are, and of what."""

    folder: Path
    folds: int
    model: Model
    sparse: bool
    seed: int
    timed: bool  # whether it matters how long a record takes


@dataclass(frozen=True)
class Outcome:
    """What a trial came to: the loss of each block, fold by fold; the size of the file that would
    serve; microseconds for one record, where they matter; seconds that it took."""

    losses: list[float]
    size: int
    us: float | None
    seconds: float


def evaluate(
    place: Place, name: str, parameters: Mapping[str, Any], report: Report | None
) -> Outcome:
    """Return what comes out of the estimator `name` with `parameters`.

    `report` takes the loss of the first fold at each of STEPS where the estimator boosts, then the
    mean loss after each fold but the last. Raises Pruned where it says so, and what the estimator
    raises.
    """
    begun = time.monotonic()
    model, found = place.model, list[float]()
    task = estimators.task_of(model)
    for number in range(place.folds):
        fold = whole_fold = folds.read(place.folder, number, name)
        whole = estimators.make(task, name, parameters, place.seed, sparse=place.sparse)
        last = whole[-1] if hasattr(whole, "steps") else whole
        some = columns.asked_for(last, fold.x)
        if some is not None:
            fold = fold.of_columns(some)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of rounds that did not converge: the loss tells
            _fit(last, fold, model, report if number == 0 else None)
        found += _losses(last, fold, model)
        if not np.isfinite(found).all():
            raise ValueError("it predicts what is no number")
        if (
            report
            and number < place.folds - 1
            and report(len(STEPS) + number, float(np.mean(found)))
        ):
            raise Pruned
    if some is not None:
        columns.widen(last, some, whole_fold.x.shape[1])
    vectorizer, head = folds.read_pair(place.folder, name)
    whole = last if head is None else Pipeline([*head.steps, whole.steps[-1]])
    model = model.fitted_on(vectorizer.feature_names_, vectorizer.separator)
    size, us = _served(SklearnScorer((vectorizer, whole), model, None), model, timed=place.timed)
    return Outcome(found, size, us, time.monotonic() - begun)


def _losses(estimator: Any, fold: Prepared, model: Model) -> list[float]:
    return folds.losses(model, fold.truth, scores_of(estimator, fold.judged_x, model), fold.blocks)


def _fit(estimator: Any, fold: Prepared, model: Model, report: Report | None) -> None:
    """Fit the estimator on a fold; one that boosts stops at the steps to be judged."""
    watch: dict[str, Any] = {}
    if getattr(estimator, "early_stopping_rounds", None):
        watch = {"eval_set": [(fold.judged_x, fold.judged_y)], "verbose": False}
    if report and hasattr(estimator, "get_booster"):
        _fit_xgboost(estimator, fold, model, report, watch)
        return
    if report and hasattr(estimator, "max_iter") and hasattr(estimator, "max_leaf_nodes"):
        _in_parts(estimator, fold, model, report)
        return
    with estimators.parallel():
        estimator.fit(fold.x, fold.y, **watch)


def _in_parts(boosting: Any, fold: Prepared, model: Model, report: Report) -> None:
    """Fit a histogram boosting, which grows on from where it was. The same seed draws the same
    rows, so that the result is that of growing at once."""
    rounds = boosting.max_iter
    boosting.set_params(warm_start=True)
    for step, share in enumerate(STEPS):
        boosting.set_params(max_iter=max(1, round(rounds * share)))
        boosting.fit(fold.x, fold.y)
        if report(step, float(np.mean(_losses(boosting, fold, model)))):
            raise Pruned
    boosting.set_params(max_iter=rounds).fit(fold.x, fold.y)
    boosting.set_params(warm_start=False)


def _fit_xgboost(
    estimator: Any, fold: Prepared, model: Model, report: Report, watch: dict[str, Any]
) -> None:
    from xgboost.callback import TrainingCallback

    rounds = estimator.n_estimators or 100  # XGBoost's own number
    steps = {max(1, round(rounds * share)): step for step, share in enumerate(STEPS)}

    class Judge(TrainingCallback):
        def after_iteration(self, booster: Any, epoch: int, _log: Any) -> bool:
            if epoch + 1 not in steps:
                return False
            scores = booster.inplace_predict(fold.judged_x)
            if model.task == "classification" and not model.classes and scores.ndim > 1:
                scores = scores[:, 1]
            made = folds.losses(model, fold.truth, scores.astype(np.float64), fold.blocks)
            if report(steps[epoch + 1], float(np.mean(made))):
                raise Pruned
            return False

    estimator.set_params(callbacks=[Judge()])
    try:
        estimator.fit(fold.x, fold.y, **watch)
    finally:
        estimator.set_params(callbacks=None)


def _served(pair: SklearnScorer, model: Model, *, timed: bool) -> tuple[int, float | None]:
    """Return the bytes of the file that serves and, where it is asked for, the microseconds that
    one record takes to score in it."""
    scorer: Scorer = pair
    try:
        made = compile_pair(pair)
        size = len(made.data)
        scorer = read_compiled(made.kind, made.data, model)
    except NotCompiled:
        size = len(pickle.dumps((pair.vectorizer, pair.estimator), protocol=5))
    if not timed:
        return size, None
    features = model.features(model.record.model_validate(dict(model.example)))
    taken = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        for _ in range(_TIMED):
            scorer.one(features)
        taken.append((time.perf_counter() - begun) / _TIMED)
    return size, statistics.median(taken) * 1e6
