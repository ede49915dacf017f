"""The default estimator: the first of the task, or one that has to prove better on the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
from sklearn.base import clone
from sklearn.feature_extraction import DictVectorizer

from scoring.models import Model
from training.data.split import Splits
from training.errors import TrainingError
from training.evaluation.metrics import Metrics, classification, deciding_metric, regression
from training.fit import estimators
from training.fit.calibrated import calibrated
from training.fit.features import narrow, transform
from training.fit.pair import fit, score
from training.sources import Source

# Of the training data. Fewer say too little of most categories, and a model that is trained in a
# moment should be: the bundled sample's.
FEWEST_ROWS: Final = 30_000
_TIES: Final = 1e-6  # of an AUC, where a sigmoid makes one number of two


@dataclass(frozen=True)
class Candidate:
    """A pair that is fitted or is to be, and the model with the features that it takes."""

    name: str
    model: Model
    vectorizer: DictVectorizer
    estimator: Any

    @classmethod
    def of(
        cls, model: Model, source: Source, name: str, parameters: dict[str, Any], seed: int
    ) -> Candidate:
        """Return one that is not fitted. Raises TrainingError for a name or a parameter that there
        is not."""
        task = estimators.task_of(model)
        estimator = estimators.make(task, name, parameters, seed, sparse=source.sparse)
        taken = model.whole() if name in estimators.TAKE_FURTHER else model
        return cls(name, taken, DictVectorizer(sparse=source.sparse), estimator)

    def fit(self, splits: Splits) -> None:
        """Fit it on the training rows."""
        fit(self.vectorizer, self.estimator, splits.training, splits.validation, self.model)


def calibration_of(
    candidate: Candidate,
    seed: int,
    learned: pd.DataFrame,
    part: str,
    held_out: pd.DataFrame,
    say: Callable[[str], object],
) -> Candidate:
    """Return the fitted candidate behind a calibration, fitted on the rows `learned`, where its
    Brier score on the rows `held_out` is no larger and its AUC no smaller, else as it is; `say` is
    told both. Raises TrainingError for other models than those of two classes."""
    model = candidate.model
    if model.task != "classification" or model.classes:
        raise TrainingError(f"--calibrate is for models of two classes; '{model.name}' is none")
    other = replace(candidate, estimator=calibrated(clone(candidate.estimator), seed))
    x = transform(other.vectorizer, learned, model)
    with estimators.parallel():
        other.estimator.fit(narrow(x), learned[model.target].to_numpy())
    truth = held_out[model.target].to_numpy(dtype="float64")
    was, would_be = (
        classification(truth, score(one.vectorizer, one.estimator, held_out, model), 0.5)
        for one in (candidate, other)
    )
    better = would_be["brier"] <= was["brier"] and _auc(would_be) >= _auc(was) - _TIES
    say(
        f"{'calibrated' if better else 'not calibrated'}: on the {part} data its Brier score is "
        f"{would_be['brier']:.6f} with a calibration and {was['brier']:.6f} without, its AUC "
        f"{_auc(would_be):.6f} and {_auc(was):.6f}"
    )
    return other if better else candidate


def _auc(found: Metrics) -> float:
    """Return the AUC; of rows of one class alone, zero."""
    return found["auc"] or 0.0


def contender_of(source: Source, splits: Splits) -> str | None:
    """Return the estimator that contends for the default on these rows; None where there is none,
    or too few rows to try it."""
    return source.contender if len(splits.training) >= FEWEST_ROWS else None


def contest(
    default: Candidate, contender: Candidate, splits: Splits, say: Callable[[str], object]
) -> Candidate:
    """Fit both on the training rows and return the one with the smaller error on the validation
    rows, fitted; `say` is told both errors."""
    metric = deciding_metric(default.model)
    found = []
    for one in (default, contender):
        one.fit(splits)
        scores = score(one.vectorizer, one.estimator, splits.validation, one.model)
        truth = splits.validation[one.model.target].to_numpy(dtype="float64")
        found.append(regression(truth, scores)[metric])
    winner = contender if found[1] < found[0] else default
    say(
        f"{winner.name} is trained: on the validation data the {metric} of {default.name} is "
        f"{found[0]:.4f}, that of {contender.name} {found[1]:.4f}"
    )
    return winner
