"""Fits a pair of DictVectorizer and estimator, and scores rows with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from sklearn.utils.validation import check_is_fitted

from scoring.models import Model
from scoring.scorers.meaning import class_columns
from training.errors import TrainingError
from training.evaluation.metrics import Values, places_of
from training.fit import columns, estimators
from training.fit.features import fit_transform, narrow, transform
from training.fit.means import tell_columns, threads


def fit(
    vectorizer: DictVectorizer,
    estimator: Any,
    training: pd.DataFrame,
    validation: pd.DataFrame,
    model: Model,
) -> None:
    """Fit both on `training`; XGBoost with early stopping watches `validation`.

    Raises TrainingError where the estimator refuses its parameters or the data.
    """
    x = narrow(fit_transform(vectorizer, training, model))  # (n_rows, n_features) float64
    y = truth_of(training, estimator, model)
    tell_columns(estimator, vectorizer, x)
    width = x.shape[1]
    watch: dict[str, Any] = {}
    try:
        some = columns.asked_for(estimator, x)
        x = x if some is None else x[:, some]
        if getattr(estimator, "early_stopping_rounds", None):
            seen = transform(vectorizer, validation, model)
            seen = seen if some is None else seen[:, some]
            watch = {"eval_set": [(seen, truth_of(validation, estimator, model))], "verbose": False}
        with estimators.progress(estimator), estimators.parallel(), threads(estimator):
            estimator.fit(x, y, **watch)
    except (ValueError, TypeError) as error:
        raise TrainingError(f"the estimator cannot be fitted: {error}") from error
    if some is not None:
        columns.widen(estimator, some, width)
    if watch:  # XGBoost's history is of a class that the service would not unpickle
        estimator.evals_result_ = {k: dict(v) for k, v in estimator.evals_result_.items()}
    check_is_fitted(estimator)


def score(vectorizer: DictVectorizer, estimator: Any, frame: pd.DataFrame, model: Model) -> Values:
    """Return n_rows floats, in order: predicted values, or probabilities of the positive class; of
    several classes (n_rows, n_classes) probabilities, in the order of the model's.

    Raises ArtifactError where it was fitted without rows of some class.
    """
    taken = model.fitted_on(vectorizer.feature_names_, vectorizer.separator)
    return scores_of(estimator, transform(vectorizer, frame, taken), model)


def scores_of(estimator: Any, x: Any, model: Model) -> Values:
    """Return the scores of a matrix, as `score` does of its rows."""
    if model.classes:
        columns: Any = class_columns(estimator.classes_, model.classes)
    else:
        columns = 1
    found = (
        estimator.predict_proba(x)[:, columns]
        if model.task == "classification"
        else estimator.predict(x)
    )
    return np.asarray(found, dtype=np.float64)


def truth_of(frame: pd.DataFrame, estimator: Any, model: Model) -> Any:
    """Return what the estimator learns; of several classes their names, to XGBoost their places."""
    if model.classes and hasattr(estimator, "get_booster"):
        return places_of(frame, model)
    return frame[model.target].to_numpy()
