"""The models of XGBoost and LightGBM in every shape in which people save a pair, and estimators
that search their own parameters: the rest of the table of test_versions.py."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import ElasticNetCV, LogisticRegressionCV

from scoring.artifact.foreign import read_pair
from scoring.artifact.reading import read_compiled
from scoring.models import discover
from scoring.saved.containers import read_bytes
from scoring.saved.repickle import pair_bytes, repickle
from scoring.saved.shapes import choose
from scoring.saved.stand_ins import Name, StandIn
from scoring.scorers.sklearn import SklearnScorer
from tests.training.adoption.archives import asked
from tests.training.adoption.make_files import customers, rides, shapes
from tests.training.adoption.test_lightgbm import content
from training.adoption.as_data import read_as_data
from training.adoption.boosters import with_booster

pytestmark = pytest.mark.slow

xgboost = pytest.importorskip("xgboost")
MODELS = discover()


@pytest.mark.parametrize("kind", ["booster", "estimator"])
def test_xgboost_is_found_in_every_shape(kind: str) -> None:
    """Its scores are the booster's own."""
    rows, target = rides()
    dv = DictVectorizer()
    x = dv.fit_transform(rows)
    made: Any = xgboost.XGBRegressor(n_estimators=3, max_depth=3, n_jobs=1).fit(x, target)
    expected = made.predict(dv.transform(asked("ride"))).tolist()
    saved = made.get_booster() if kind == "booster" else made
    seen = 0
    for shape, files, pick in shapes(dv, saved):
        held = [read_bytes(f"{n}.pkl", data) for n, data in enumerate(files)]
        chosen = choose(held, pick)
        data = with_booster(chosen) if kind == "booster" else pair_bytes(held, chosen)
        scorer = SklearnScorer(read_pair(data, MODELS["ride"]).pair, MODELS["ride"])
        assert scorer.many(asked("ride"))[0] == pytest.approx(expected, rel=1e-5), shape
        seen += 1
    assert seen >= 16


def _shapes(dv: StandIn, model: StandIn) -> Iterator[tuple[str, list[bytes], str | None]]:
    """Return files of a pair whose library is not here."""
    steps = {"steps": [("dv", dv), ("model", model)], "_sklearn_version": "1.7.2"}
    pipeline = StandIn(Name("sklearn.pipeline", "Pipeline"), (), called=False, state=steps)
    yield "pair", [repickle((dv, model))], None
    yield "other way round", [repickle([model, dv])], None
    yield "things beside", [repickle(("best", {"rmse": 1.5}, dv, [1, 2], model))], None
    yield "pipeline", [repickle(pipeline)], None
    yield "two files", [repickle(model), repickle(dv)], None
    yield "two pickles in a file", [repickle(dv) + repickle(model)], None
    yield "dictionary", [repickle({"dv": dv, "model": model})], None
    yield "dictionary of models", [repickle({"dv": dv, "models": {"a": model}})], "a"
    yield "packed", [gzip.compress(repickle((dv, model)))], None


@pytest.mark.parametrize("model", ["ride", "churn"])
@pytest.mark.parametrize("kind", ["estimator", "booster"])
def test_lightgbm_is_found_in_every_shape(model: str, kind: str) -> None:
    """Its scores are those that the package gave."""
    [root] = read_bytes("m.pkl", content()[f"{model}/{kind}"]).roots
    expected = json.loads(content()["answers.json"])[model]
    for shape, files, pick in _shapes(*root):
        chosen = choose([read_bytes(f"{n}.pkl", data) for n, data in enumerate(files)], pick)
        made = read_as_data(chosen, MODELS[model], None).made
        found, _ = read_compiled(made.kind, made.data, MODELS[model]).many(asked(model))
        assert found == pytest.approx(expected, rel=1e-9), shape


@pytest.mark.filterwarnings("ignore")  # scikit-learn's, of options to come
@pytest.mark.parametrize("model", ["ride", "churn"])
def test_an_estimator_that_searches_its_parameters_is_read_as_data(model: str) -> None:
    """ElasticNetCV and LogisticRegressionCV, in every shape."""
    rows, target = rides() if model == "ride" else customers()
    dv = DictVectorizer(sparse=False)
    x = dv.fit_transform(rows)
    made: Any = (
        ElasticNetCV(cv=3) if model == "ride" else LogisticRegressionCV(Cs=2, cv=2, max_iter=9)
    )
    made.fit(x, target)
    asked_for = dv.transform(asked(model))
    expected = made.predict(asked_for) if model == "ride" else made.predict_proba(asked_for)[:, 1]
    for shape, files, pick in shapes(dv, made):
        chosen = choose([read_bytes(f"{n}.pkl", data) for n, data in enumerate(files)], pick)
        form = read_as_data(chosen, MODELS[model], None).made
        found, _ = read_compiled(form.kind, form.data, MODELS[model]).many(asked(model))
        assert found == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-9), shape
