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
from tests.flowers import FLOWERS, table
from tests.scoring.scorers.ensembles import KINDS, rows_of
from tests.scoring.scorers.ensembles import pair_of as scorer_pair_of
from tests.support import write_pair
from tests.training.export.shop import SHOP, sales
from training.data.checks import check
from training.data.tables import read
from training.export.form import Form
from training.export.reading import read_form
from training.fit import estimators
from training.fit.features import features, narrow
from training.sources import source_of

MODELS = {**discover(), "shop": SHOP, "flowers": FLOWERS}
# every estimator, and every model with one of each kind
CASES = [
    *(("ride", kind) for kind in ("linear", "forest", "boosting", "xgboost")),
    *(("churn", kind) for kind in ("linear", "boosting", "xgboost")),
    *(("shop", kind) for kind in ("linear", "forest")),
    *(("flowers", kind) for kind in ("linear", "forest", "boosting")),
]


@cache
def predictor_of(name: str, kind: str) -> Predictor:
    """Return a model over a small estimator, as it would serve."""
    model = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        write_pair(Path(folder), model, pair_of(model, kind), golden=[dict(model.example)])
        return Predictor.from_folder(Path(folder, model.name), model)


@cache
def form_of(name: str, kind: str) -> Form:
    return read_form(predictor_of(name, kind))


def _sample_pair(model: Model) -> tuple[Any, Any]:
    """Return a linear pair of the bundled sample, with all of its categories."""
    source = source_of(model)
    frame = check(read(model, source, []), model, source, max_dropped=1).frame
    vectorizer = DictVectorizer()
    x = narrow(vectorizer.fit_transform(features(frame, model)))
    return vectorizer, estimators.make(model.task, "linear" if model.task == "regression" else
                                       "logistic", {}, 1).fit(x, frame[model.target])  # fmt: skip


def _of_classes(kind: str) -> tuple[Any, Any]:
    frame = table(150)
    read = FLOWERS.record.model_validate
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    vectorizer = DictVectorizer()
    x = narrow(vectorizer.fit_transform([FLOWERS.features(read(row)) for row in rows]))
    y = frame[FLOWERS.target]
    if kind == "linear":
        return vectorizer, LogisticRegression(max_iter=5000).fit(x, y)
    name, parameters = KINDS[kind]
    return vectorizer, estimators.make(FLOWERS.task, name, parameters, 1, sparse=True).fit(x, y)


def pair_of(model: Model, kind: str) -> tuple[Any, Any]:
    if kind == "sample":
        return _sample_pair(model)
    if model is FLOWERS:
        return _of_classes(kind)
    if model is not SHOP and kind != "linear":
        scorer, _ = scorer_pair_of(model, kind)
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
