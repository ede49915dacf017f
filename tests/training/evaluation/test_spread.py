"""How much features vary, of a linear model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression

from scoring.models import discover
from training.evaluation import spread as module
from training.evaluation.spread import spread

RIDE = discover()["ride"]
ROWS = [(74, 75, 1.0), (74, 75, 3.0), (74, 74, 5.0), (7, 8, 9.0)]


def fitted(estimator: Any, **options: Any) -> tuple[DictVectorizer, Any, pd.DataFrame]:
    frame = pd.DataFrame(ROWS, columns=["PULocationID", "DOLocationID", "trip_distance"])
    features = [{"PU_DO": f"{a}_{b}", "trip_distance": miles} for a, b, miles in ROWS]
    vectorizer = DictVectorizer(**options)
    x = vectorizer.fit_transform(features)
    return vectorizer, estimator.fit(x, [5.0, 9.0, 13.0, 60.0]), frame


@pytest.mark.parametrize("sparse", [True, False])
def test_it_is_the_standard_deviation_of_each_feature(sparse: bool) -> None:
    """Largest effect first, by the vectorizer's names."""
    vectorizer, estimator, frame = fitted(LinearRegression(), sparse=sparse)
    found = spread(vectorizer, estimator, frame, RIDE)
    miles = [row[2] for row in ROWS]
    assert found["trip_distance"] == pytest.approx(np.std(miles), rel=1e-5)
    assert found["PU_DO=74_75"] == pytest.approx(0.5)
    weights = dict(zip(vectorizer.get_feature_names_out(), estimator.coef_, strict=True))
    effects = [abs(weights[name] * deviation) for name, deviation in found.items()]
    assert effects == sorted(effects, reverse=True)


def test_the_largest_effects_of_a_sample_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Millions of rows and thousands of features cost no more than a bounded part of them."""
    monkeypatch.setattr(module, "_ROWS", 2)
    monkeypatch.setattr(module, "_KEPT", 1)
    assert len(spread(*fitted(LinearRegression()), RIDE)) == 1


def test_an_estimator_without_weights_has_none() -> None:
    """Trees have importances instead."""
    assert spread(*fitted(RandomForestRegressor(n_estimators=2)), RIDE) == {}
