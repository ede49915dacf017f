"""Estimators behind a calibration: compiled, they give the calibrated probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction import DictVectorizer

from scoring.compiler.compile import NotCompiled, compile_pair
from scoring.models import discover
from scoring.scorers import linear, trees
from scoring.scorers.sklearn import SklearnScorer
from tests.scoring.scorers.ensembles import rows_of
from training.fit import estimators
from training.fit.calibrated import calibrated
from training.fit.features import narrow

CHURN = discover()["churn"]


def own_of(name: str, parameters: dict[str, Any], *, sparse: bool = False) -> SklearnScorer:
    """Return a fitted pair of an estimator behind a calibration."""
    rows, target = rows_of(CHURN, 600)
    noise = np.random.default_rng(3).normal(0, target.std(), len(target))
    y = (target + noise > np.median(target)).astype(int)
    vectorizer = DictVectorizer(sparse=sparse)
    x = narrow(vectorizer.fit_transform(rows))
    made = estimators.make("classification", name, parameters, 1, sparse=sparse)
    return SklearnScorer((vectorizer, calibrated(made, 1).fit(x, y)), CHURN)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters", "sparse"),
    [
        ("logistic", {}, False),
        ("logistic", {}, True),
        ("forest", {"n_estimators": 9}, False),
        ("boosting", {"max_iter": 9}, False),
        ("boosting", {"max_iter": 9}, True),
    ],
)
def test_compiled_it_gives_the_calibrated_probabilities(
    name: str, parameters: dict[str, Any], sparse: bool
) -> None:
    """Of what it was fitted on and of the made-up records of the proof."""
    own = own_of(name, parameters, sparse=sparse)
    rows, _ = rows_of(CHURN, 50)
    file = compile_pair(own, rows)
    scorer = linear.read(file.data) if file.kind == "linear" else trees.read(file.data)
    np.testing.assert_allclose(scorer.many(rows)[0], own.many(rows)[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_xgboost_behind_a_calibration_is_served_by_scikit_learn() -> None:
    """Its own score is a probability, of which a sigmoid is no sum of leaves."""
    own = own_of("xgboost", {"n_estimators": 5})
    with pytest.raises(NotCompiled, match="XGBoost behind a calibration"):
        compile_pair(own)


@pytest.mark.slow
def test_other_calibrations_have_no_compiled_form() -> None:
    """Isotonic ones, and those of several estimators."""
    rows, target = rows_of(CHURN, 300)
    vectorizer = DictVectorizer(sparse=False)
    x, y = vectorizer.fit_transform(rows), (target > np.median(target)).astype(int)
    made = estimators.make("classification", "logistic", {}, 1)
    for given in ({"method": "isotonic", "ensemble": False}, {"method": "sigmoid"}):
        fitted = CalibratedClassifierCV(made, cv=3, **given).fit(x, y)
        with pytest.raises(NotCompiled):
            compile_pair(SklearnScorer((vectorizer, fitted), CHURN))
