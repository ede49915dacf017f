"""The fitted pair itself, through scikit-learn: for what has no compiled form, and to prove one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer

from scoring.errors import ArtifactError
from scoring.models import Features, Model
from scoring.scorers.base import Score, Scores, check_features, may_be_absent
from scoring.scorers.linear import Linear, of_columns
from scoring.scorers.meaning import (
    check_categories,
    check_finite,
    class_columns,
    counts_to_shares,
    positive_column,
)
from scoring.scorers.tree_nodes import check_nodes
from scoring.values.shares import TOLERANCE, Shares


class SklearnScorer:
    """A DictVectorizer, which takes dicts and gives X, (n_records, n_features) float64, and an
    estimator, which takes X."""

    def __init__(self, pair: object, model: Model, positive: str | None = None) -> None:
        """Raise ArtifactError for a pair that cannot predict for `model`; `positive` names the
        class whose probability is the score, where its name does not tell."""
        self.vectorizer, self.estimator = check_pair(pair, model, positive)
        self.task = model.task
        self.positive = 1  # the place of that class
        self.classes = model.classes
        names = self.vectorizer.feature_names_
        self.may_be_absent = may_be_absent(model.fitted_on(names, self.vectorizer.separator))
        self.places: list[int] = []  # of several classes, in the estimator's columns
        if model.task == "classification":
            counts_to_shares(self.estimator)
            if model.classes:
                self.places = class_columns(self.estimator.classes_, model.classes)
            else:
                self.positive = positive_column(self.estimator.classes_, positive)
        for part in (self.estimator, *dict(getattr(self.estimator, "steps", ())).values()):
            if hasattr(part, "n_jobs"):
                # threads are the server's: a forest with its own makes every request slower
                part.n_jobs = 1

    def one(self, features: Features) -> Score:
        """Return one record's score and its unseen categories."""
        [score], unseen = self.many([features])
        return score, unseen.get(0, ())

    def many(self, features: Sequence[Features]) -> Scores:
        """Return the scores of several records, by one pass through the estimator."""
        if not features:
            return [], {}
        x = self.vectorizer.transform(features)  # (n_records, n_features)
        if self.task == "classification":
            shares = self.estimator.predict_proba(x)  # (n_records, n_classes)
            if not np.allclose(shares.sum(axis=1), 1, atol=TOLERANCE):
                raise ArithmeticError("the probabilities of the classes do not add up to 1")
            y = shares[:, self.places or self.positive]
        else:
            y = self.estimator.predict(x)
            if y.size != len(features):  # (n_records, 1) is as good as (n_records,)
                raise ArithmeticError(f"it predicts {y.size // len(features)} numbers a record")
        scores: list[float]
        if self.classes:
            each = np.asarray(y, dtype=np.float64).tolist()
            scores = [Shares(row, self.classes) for row in each]
        else:
            scores = np.ravel(np.asarray(y, dtype=np.float64)).tolist()
        unseen = {place: self._unseen(record) for place, record in enumerate(features)}
        return scores, {place: names for place, names in unseen.items() if names}

    def linear(self) -> Linear | None:
        """Return the weights of one of scikit-learn's own linear models of one score."""
        estimator = self.estimator
        if self.classes or not type(estimator).__module__.startswith("sklearn.linear_model."):
            return None
        sign = 1.0 if self.positive else -1.0  # log-odds of the other class are the negative
        weights = (sign * np.ravel(estimator.coef_).astype(np.float64)).tolist()
        return of_columns(
            zip(self.vectorizer.feature_names_, weights, strict=True),
            intercept=sign * float(np.ravel(estimator.intercept_)[0]),
            separator=self.vectorizer.separator,
            logistic=self.task == "classification",
        )

    def importances(self) -> list[float] | None:
        """Return what the estimator calls `feature_importances_`."""
        found = getattr(self.estimator, "feature_importances_", None)
        return None if found is None else np.asarray(found, dtype=np.float64).tolist()

    def _unseen(self, features: Features) -> list[str]:
        known, separator = self.vectorizer.vocabulary_, self.vectorizer.separator
        names = (f"{k}{separator}{v}" for k, v in features.items() if isinstance(v, str))
        return [name for name in names if name not in known]


def check_pair(
    pair: object, model: Model, positive: str | None = None
) -> tuple[DictVectorizer, Any]:
    """Return (vectorizer, estimator) if `pair` can predict `model`'s target from the features that
    its code makes; raises ArtifactError otherwise."""
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], DictVectorizer)):
        raise ArtifactError("the pickle holds no pair (DictVectorizer, estimator)")
    vectorizer, estimator = pair
    names = _columns_of(vectorizer)
    _check_task(estimator, len(names), model)
    separator = vectorizer.separator
    model = model.fitted_on(names, separator)
    # one-hot columns must come from the code's texts, plain columns from its numbers
    fitted = {head + found for head, found, _ in (name.partition(separator) for name in names)}
    check_features(fitted, separator, model)
    if vectorizer.vocabulary_ != {name: place for place, name in enumerate(names)}:
        raise ArtifactError("the DictVectorizer's names and the places of its columns differ")
    known: dict[str, set[str]] = {}
    for head, found, category in (name.partition(separator) for name in names):
        if found:
            known.setdefault(head, set()).add(category)
    check_categories(known, model)
    check_nodes(estimator)
    check_finite(names, estimator)
    if model.classes:
        class_columns(estimator.classes_, model.classes)
    elif model.task == "classification":
        positive_column(estimator.classes_, positive)
    elif hasattr(estimator, "classes_"):
        raise ArtifactError(
            f"{type(estimator).__name__} tells {len(estimator.classes_)} classes apart; "
            f"'{model.name}' predicts a number"
        )
    return vectorizer, estimator


def _columns_of(vectorizer: DictVectorizer) -> list[str]:
    """Return the names of a vectorizer's columns, in order."""
    names: list[str] | None = getattr(vectorizer, "feature_names_", None)
    if not isinstance(names, list) or not names or not all(type(name) is str for name in names):
        raise ArtifactError("the DictVectorizer is not fitted")
    separator = vectorizer.separator
    if not (isinstance(separator, str) and separator):
        raise ArtifactError(f"the DictVectorizer's separator is {separator!r}; a text is expected")
    return names


def _check_task(estimator: Any, width: int, model: Model) -> None:
    """Raise ArtifactError unless an estimator of so many columns predicts what `model` does."""
    method = "predict" if model.task == "regression" else "predict_proba"
    if not hasattr(estimator, method):
        raise ArtifactError(f"{type(estimator).__name__} has no {method}; {model.task} needs it")
    if (taken := getattr(estimator, "n_features_in_", width)) != width:
        raise ArtifactError(
            f"the DictVectorizer makes {width} features, the estimator takes {taken}"
        )
    if model.task == "classification" and len(estimator.classes_) != (len(model.classes) or 2):
        wanted = len(model.classes) or "two"
        raise ArtifactError(f"the estimator knows {len(estimator.classes_)} classes, not {wanted}")
