"""XGBoost's models in a pair: as a Booster, as an estimator, in a file of XGBoost's own."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction import DictVectorizer

from scoring.models import discover
from scoring.predictor import Predictor
from tests.training.adoption.archives import archive, asked
from tests.training.adoption.make_files import customers, rides
from training.adopt import main
from training.adoption import boosters

pytestmark = pytest.mark.slow

xgboost = pytest.importorskip("xgboost")
MODELS = discover()
PARAMETERS: dict[str, dict[str, Any]] = {
    "ride": {"objective": "reg:squarederror", "max_depth": 3, "nthread": 1},
    "churn": {"objective": "binary:logistic", "max_depth": 3, "nthread": 1},
}


def fitted(model: str, *, sparse: bool, named: bool = False) -> tuple[Any, Any, list[float]]:
    """Return a vectorizer, a booster, and its scores of the asked records."""
    rows, target = rides() if model == "ride" else customers()
    dv = DictVectorizer(sparse=sparse)
    x = dv.fit_transform(rows)
    names = list(dv.feature_names_) if named else None
    if named:  # XGBoost takes no such signs in a name
        names = [name.replace("<", "").replace("[", "") for name in names or ()]
    booster = xgboost.train(PARAMETERS[model], xgboost.DMatrix(x, target, feature_names=names), 5)
    asked_for = xgboost.DMatrix(dv.transform(asked(model)), feature_names=names)
    return dv, booster, booster.predict(asked_for).tolist()


def adopt(folder: Path, model: str, *paths: Path) -> Predictor:
    main([model, *map(str, paths), "--output", str(folder / "models")])
    return Predictor.from_folder(folder / "models" / model, MODELS[model])


def scores(predictor: Predictor, model: str) -> list[float]:
    found, _ = predictor.scorer.many(asked(model))
    return found


@pytest.mark.parametrize("model", ["ride", "churn"])
@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
@pytest.mark.parametrize("named", [True, False], ids=["names", "no names"])
def test_a_booster_in_a_pair_is_served_compiled(
    model: str, sparse: bool, named: bool, tmp_path: Path
) -> None:
    """Its own scores, though it takes a DMatrix and no matrix; what is absent is missing to it
    where the matrix is sparse."""
    dv, booster, expected = fitted(model, sparse=sparse, named=named)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps((dv, booster)))
    predictor = adopt(tmp_path, model, tmp_path / "m.pkl")
    assert predictor.manifest.compiled
    assert scores(predictor, model) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_a_file_of_xgboosts_own_goes_with_a_vectorizer(kind: str, tmp_path: Path) -> None:
    """What `save_model` wrote."""
    dv, booster, expected = fitted("ride", sparse=True)
    (tmp_path / "dv.pkl").write_bytes(pickle.dumps(dv))
    booster.save_model(tmp_path / f"m.{kind}")
    predictor = adopt(tmp_path, "ride", tmp_path / f"m.{kind}", tmp_path / "dv.pkl")
    assert scores(predictor, "ride") == pytest.approx(expected, rel=1e-5)


def test_an_old_vectorizer_goes_with_it(tmp_path: Path) -> None:
    """Of another scikit-learn, read as data; the booster is XGBoost's, so the proof holds."""
    _, booster, expected = fitted("ride", sparse=True)
    old = archive("1.1").content["ride/linear/two files/1"]
    (tmp_path / "dv.pkl").write_bytes(old)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(booster))
    predictor = adopt(tmp_path, "ride", tmp_path / "dv.pkl", tmp_path / "m.pkl")
    assert scores(predictor, "ride") == pytest.approx(expected, rel=1e-5)
    assert predictor.manifest.notes[1:] == ["its DictVectorizer was saved by scikit-learn 1.1.3"]


def test_a_booster_of_another_kind_is_refused(tmp_path: Path) -> None:
    """By its objective; a count has another link than the value itself."""
    rows, target = rides()
    dv = DictVectorizer()
    data = xgboost.DMatrix(dv.fit_transform(rows), target)
    booster = xgboost.train({"objective": "count:poisson", "nthread": 1}, data, 2)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps((dv, booster)))
    with pytest.raises(SystemExit, match="booster is for count:poisson; reg:squarederror and"):
        adopt(tmp_path, "ride", tmp_path / "m.pkl")


def test_a_booster_that_xgboost_cannot_read_says_what_to_do(tmp_path: Path) -> None:
    """As one of a version that wrote another format."""
    dv, booster, _ = fitted("ride", sparse=True)
    beginning = bytes(booster.__getstate__()["handle"])[:8]
    data = pickle.dumps((dv, booster)).replace(beginning, b"binf\0\0\0\0")
    (tmp_path / "m.pkl").write_bytes(data)
    with pytest.raises(SystemExit, match=r"booster\.save_model\('model\.json'\)"):
        adopt(tmp_path, "ride", tmp_path / "m.pkl")


def test_bytes_that_end_xgboosts_reader_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs in a process of its own first."""
    dv, booster, _ = fitted("ride", sparse=True)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps((dv, booster)))
    monkeypatch.setattr(boosters, "_TRY", "import os; os.abort()")
    boosters._check_bytes.cache_clear()
    with pytest.raises(SystemExit, match="cannot read this booster"):
        adopt(tmp_path, "ride", tmp_path / "m.pkl")


def test_another_json_is_named(tmp_path: Path) -> None:
    """A request, for instance, that was given by mistake."""
    (tmp_path / "r.json").write_text(json.dumps({"PULocationID": 1}))
    with pytest.raises(SystemExit, match="it is JSON, and not what save_model of XGBoost or"):
        adopt(tmp_path, "ride", tmp_path / "r.json")
