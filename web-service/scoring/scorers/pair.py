"""The fitted pair itself, through scikit-learn: for what has no compiled form, and to prove one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer

from scoring.errors import ArtifactError
from scoring.models import Features, Model
from scoring.scorers import Score, Scores, check_features
from scoring.scorers.linear import Linear, of_columns


class Pair:
    """A DictVectorizer, which takes dicts and gives X, (n_records, n_features) float64, and an
    estimator, which takes X."""

    kind = "scikit-learn"

    def __init__(self, pair: object, model: Model) -> None:
        """Raises ArtifactError for a pair that cannot predict for `model`."""
        self.vectorizer, self.estimator = check_pair(pair, model)
        self.task = model.task
        for part in (self.estimator, *dict(getattr(self.estimator, "steps", ())).values()):
            if hasattr(part, "n_jobs"):
                # threads are the server's: a forest with its own makes every request slower
                part.n_jobs = 1

    def one(self, features: Features) -> Score:
        """Gives one record's score."""
        [score], unseen = self.many([features])
        return score, unseen.get(0, ())

    def many(self, features: Sequence[Features]) -> Scores:
        """Gives the scores of several records, by one pass through the estimator."""
        if not features:
            return [], {}
        x = self.vectorizer.transform(features)  # (n_records, n_features)
        if self.task == "classification":
            y = self.estimator.predict_proba(x)[:, 1]
        else:
            y = self.estimator.predict(x)
        scores: list[float] = np.asarray(y, dtype=np.float64).tolist()
        unseen = {place: self._unseen(record) for place, record in enumerate(features)}
        return scores, {place: names for place, names in unseen.items() if names}

    def linear(self) -> Linear | None:
        """Gives the weights of one of scikit-learn's own linear models."""
        estimator = self.estimator
        if not type(estimator).__module__.startswith("sklearn.linear_model."):
            return None
        weights = np.ravel(estimator.coef_).astype(np.float64).tolist()
        return of_columns(
            zip(self.vectorizer.feature_names_, weights, strict=True),
            intercept=float(np.ravel(estimator.intercept_)[0]),
            separator=self.vectorizer.separator,
            logistic=self.task == "classification",
        )

    def importances(self) -> list[float] | None:
        """Gives what the estimator calls `feature_importances_`."""
        found = getattr(self.estimator, "feature_importances_", None)
        return None if found is None else np.asarray(found, dtype=np.float64).tolist()

    def _unseen(self, features: Features) -> list[str]:
        known, separator = self.vectorizer.vocabulary_, self.vectorizer.separator
        names = (f"{k}{separator}{v}" for k, v in features.items() if isinstance(v, str))
        return [name for name in names if name not in known]


def check_pair(pair: object, model: Model) -> tuple[DictVectorizer, Any]:
    """Gives (vectorizer, estimator) if `pair` can predict `model`'s target from the features that
    its code makes; raises ArtifactError otherwise."""
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], DictVectorizer)):
        raise ArtifactError("the pickle holds no pair (DictVectorizer, estimator)")
    vectorizer, estimator = pair
    method = "predict" if model.task == "regression" else "predict_proba"
    if not hasattr(estimator, method):
        raise ArtifactError(f"{type(estimator).__name__} has no {method}; {model.task} needs it")
    names = getattr(vectorizer, "feature_names_", None)
    if not names:
        raise ArtifactError("the DictVectorizer is not fitted")
    width = getattr(estimator, "n_features_in_", len(names))
    if width != len(names):
        raise ArtifactError(
            f"the DictVectorizer makes {len(names)} features, the estimator takes {width}"
        )
    if model.task == "classification" and len(estimator.classes_) != 2:
        raise ArtifactError(f"the estimator knows {len(estimator.classes_)} classes, not two")
    separator = vectorizer.separator
    # one-hot columns must come from the code's texts, plain columns from its numbers
    fitted = {head + found for head, found, _ in (name.partition(separator) for name in names)}
    check_features(fitted, separator, model)
    return vectorizer, estimator
