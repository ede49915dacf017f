"""Small models to export, each made once."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.models import Model, discover
from scoring.predictor import Predictor
from tests.scoring.scorers.ensembles import KINDS, pair_of, rows_of
from tests.support import write_pair
from tests.training.export.shop import SHOP, sales
from training.export.form import Form
from training.export.reading import read_form
from training.fit import estimators
from training.fit.features import narrow

MODELS = {**discover(), "shop": SHOP}
ESTIMATORS = ("linear", "forest", "boosting", "xgboost")


@cache
def predictor_of(name: str, kind: str) -> Predictor:
    """Return a model over a small estimator, as it would serve."""
    model = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        write_pair(Path(folder), model, _pair(model, kind), golden=[dict(model.example)])
        return Predictor.from_folder(Path(folder, model.name), model)


@cache
def form_of(name: str, kind: str) -> Form:
    return read_form(predictor_of(name, kind))


def _pair(model: Model, kind: str) -> tuple[Any, Any]:
    if model is not SHOP and kind != "linear":
        scorer, _ = pair_of(model, kind)
        return scorer.vectorizer, scorer.estimator
    rows, target = rows_of(model, 300) if model is not SHOP else ([], np.zeros(0))
    if model is SHOP:
        records = [model.record.model_validate(sale) for sale in sales()]
        rows = [model.features(record) for record in records]
        target = np.arange(200) * 0.7 + 5 * np.array([n % 3 for n in range(200)])
    vectorizer = DictVectorizer()
    x = narrow(vectorizer.fit_transform(rows))
    if kind != "linear":
        name, parameters = KINDS[kind]
        estimator = estimators.make(model.task, name, parameters, 1, sparse=True)
        return vectorizer, estimator.fit(x, target)
    if model.task == "classification":
        return vectorizer, LogisticRegression(solver="liblinear").fit(x, target > np.median(target))
    return vectorizer, LinearRegression().fit(x, target)
