"""Small fitted ensembles, for the tests of their scorers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer

from scoring.compiler.compile import compile_pair
from scoring.models import Features, Model, discover
from scoring.scorers import trees
from scoring.scorers.sklearn import SklearnScorer
from scoring.scorers.trees import Trees
from training.fit import estimators
from training.fit.features import narrow

MODELS = discover()
RIDE, CHURN = MODELS["ride"], MODELS["churn"]
# Small ones, of every kind that training can make; and those that take another way at scoring.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "forest": ("forest", {"n_estimators": 7}),
    "boosting": ("boosting", {"max_iter": 15, "min_samples_leaf": 2}),
    "xgboost": ("xgboost", {"n_estimators": 15}),
    "many small trees": ("xgboost", {"n_estimators": 150, "max_depth": 2}),
    "large trees": ("forest", {"n_estimators": 3, "min_samples_leaf": 1, "bootstrap": False}),
}


def rows_of(model: Model, count: int = 900) -> tuple[list[Features], np.ndarray]:
    """Return made-up features, and a target that depends on all of them."""
    random = np.random.default_rng(1)
    example = model.features(model.record.model_validate(model.example))
    fields = model.record.model_json_schema()["properties"]
    rows: list[Features] = []
    target = np.zeros(count)
    for place in range(count):
        row: dict[str, str | float] = {}
        for name, value in example.items():
            if isinstance(value, str):
                known = fields.get(name, {}).get("enum") or [f"{n}_{n + 1}" for n in range(12)]
                choice = int(random.integers(0, len(known)))
                row[name] = known[choice]
                target[place] += (choice % 5) * len(name)
            else:
                row[name] = float(np.round(random.exponential(9), 2))
                target[place] += 3 * float(row[name])
        rows.append(row)
    return rows, target


def pair_of(
    model: Model, kind: str, *, sparse: bool = True
) -> tuple[SklearnScorer, list[Features]]:
    """Return a fitted pair, and the features that it was fitted on with some that it never saw."""
    name, parameters = KINDS[kind]
    rows, target = rows_of(model)
    vectorizer = DictVectorizer(sparse=sparse)
    x = narrow(vectorizer.fit_transform(rows))
    y = target if model.task == "regression" else (target > np.median(target)).astype(int)
    estimator = estimators.make(model.task, name, parameters, 1, sparse=sparse)
    new = [
        {name: "9_9" if isinstance(value, str) else value + 0.01 for name, value in row.items()}
        for row in rows[:50]
    ]
    return SklearnScorer((vectorizer, estimator.fit(x, y)), model), [*rows, *new]


def scorer_of(pair: SklearnScorer) -> Trees:
    return trees.read(compile_pair(pair).data)
