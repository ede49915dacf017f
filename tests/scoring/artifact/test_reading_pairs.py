"""Pairs that do not fit the model's code are refused when their folder is read."""

from __future__ import annotations

import copy
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from scoring.artifact.manifest import OTHER_VERSION
from scoring.artifact.reading import load
from scoring.models import Model
from scoring.predictor import Predictor
from tests.scoring.artifact.folders import MODELS, edit, put, refusal
from tests.support import records, tiny_pair


def test_another_models_pair_is_refused(folder: Path, model: Model) -> None:
    """A pair that was fitted on other features would answer with a wrong number."""
    other = next(found for found in MODELS.values() if found.name != model.name)
    vectorizer, _ = tiny_pair(other)
    _, estimator = tiny_pair(model)
    estimator.n_features_in_ = len(vectorizer.feature_names_)
    put(folder, model, (vectorizer, estimator))
    line = refusal(folder, model)
    assert f"the pair was fitted on other features than '{model.name}' makes" in line


WRONG_PAIRS: dict[str, Callable[[Any, Any], object]] = {
    "three": lambda v, e: (v, e, e),
    "list": lambda v, e: [v, e],
    "turned round": lambda v, e: (e, v),
    "estimator alone": lambda _, e: e,
    "vectorizer alone": lambda v, _: v,
    "no vectorizer": lambda _, e: (MaxAbsScaler(), e),
    "nothing": lambda _, __: None,
    "pipeline": lambda v, e: Pipeline([("vectorizer", v), ("estimator", e)]),
}


@pytest.mark.parametrize("shape", WRONG_PAIRS)
def test_what_is_no_pair_is_refused(folder: Path, model: Model, shape: str) -> None:
    """The pickle holds a tuple (DictVectorizer, estimator) and nothing else."""
    put(folder, model, WRONG_PAIRS[shape](*tiny_pair(model)))
    assert "the pickle holds no pair (DictVectorizer, estimator)" in refusal(folder, model)


def test_an_unfitted_vectorizer_is_refused(folder: Path, model: Model) -> None:
    """A vectorizer without features would fail at the first request."""
    _, estimator = tiny_pair(model)
    put(folder, model, (DictVectorizer(), estimator))
    assert "the DictVectorizer is not fitted" in refusal(folder, model)


def test_an_unfitted_estimator_is_refused(folder: Path, model: Model) -> None:
    """So would an estimator that has learnt nothing."""
    vectorizer, estimator = tiny_pair(model)
    put(folder, model, (vectorizer, type(estimator)()))
    assert type(estimator).__name__ in refusal(folder, model)


def test_an_unfitted_pipeline_is_refused(folder: Path, model: Model) -> None:
    """A pipeline says less about itself than an estimator, and fails as well."""
    vectorizer, estimator = tiny_pair(model)
    put(folder, model, (vectorizer, Pipeline([("last", type(estimator)())])))
    refusal(folder, model)


def test_an_estimator_that_gives_no_probability_is_refused(
    models_dir: Path, tmp_path: Path
) -> None:
    """A regression cannot answer for churn."""
    model = MODELS["churn"]
    folder = shutil.copytree(models_dir / "churn", tmp_path / "churn")
    vectorizer, _ = tiny_pair(model)
    put(folder, model, (vectorizer, LinearRegression()))
    line = refusal(folder, model)
    assert "LinearRegression has no predict_proba; classification needs it" in line


def test_an_estimator_that_cannot_predict_is_refused(models_dir: Path, tmp_path: Path) -> None:
    """Nor can a scaler for a ride."""
    model = MODELS["ride"]
    folder = shutil.copytree(models_dir / "ride", tmp_path / "ride")
    vectorizer, _ = tiny_pair(model)
    put(folder, model, (vectorizer, MaxAbsScaler()))
    assert "MaxAbsScaler has no predict; regression needs it" in refusal(folder, model)


@pytest.mark.parametrize("classes", [1, 3])
def test_a_classifier_of_other_than_two_classes_is_refused(
    models_dir: Path, tmp_path: Path, classes: int
) -> None:
    """Whose probability would the answer be?"""
    model = MODELS["churn"]
    folder = shutil.copytree(models_dir / "churn", tmp_path / "churn")
    vectorizer, estimator = tiny_pair(model)
    estimator.classes_ = np.arange(classes)
    put(folder, model, (vectorizer, estimator))
    assert f"the estimator knows {classes} classes, not two" in refusal(folder, model)


def test_three_fitted_classes_are_refused(models_dir: Path, tmp_path: Path) -> None:
    """The same with an estimator that was really fitted on three."""
    model = MODELS["churn"]
    folder = shutil.copytree(models_dir / "churn", tmp_path / "churn")
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    vectorizer = DictVectorizer(sparse=False)
    x = vectorizer.fit_transform(rows)
    estimator = LogisticRegression(max_iter=5000)
    estimator.fit(x / x.max(), [number % 3 for number in range(len(rows))])
    put(folder, model, (vectorizer, estimator))
    assert "the estimator knows 3 classes, not two" in refusal(folder, model)


@pytest.mark.parametrize("more", [-1, 1])
def test_a_pair_whose_halves_do_not_fit_is_refused(folder: Path, model: Model, more: int) -> None:
    """The estimator takes as many features as the vectorizer makes."""
    vectorizer, estimator = tiny_pair(model)
    width = len(vectorizer.feature_names_)
    estimator.n_features_in_ = width + more
    put(folder, model, (vectorizer, estimator))
    line = refusal(folder, model)
    assert f"makes {width} features, the estimator takes {width + more}" in line


@pytest.mark.slow
def test_a_category_where_the_code_makes_a_number_is_refused(folder: Path, model: Model) -> None:
    """A pair trained on distances as text has columns that serving never fills."""
    rows = [dict(model.features(model.record.model_validate(row))) for row in records(model)]
    number = next(name for name, value in rows[0].items() if not isinstance(value, str))
    for row in rows:
        row[number] = str(row[number])
    vectorizer = DictVectorizer().fit(rows)
    _, estimator = tiny_pair(model)
    estimator.n_features_in_ = len(vectorizer.feature_names_)
    put(folder, model, (vectorizer, estimator))
    assert f"'{number}='" in refusal(folder, model)


def test_a_missing_column_is_said_to_be_in_the_code_alone(folder: Path, model: Model) -> None:
    """A pair trained on fewer fields than the code makes is refused too."""
    rows = [dict(model.features(model.record.model_validate(row))) for row in records(model)]
    left_out = sorted(rows[0])[-1]
    for row in rows:
        del row[left_out]
    vectorizer = DictVectorizer().fit(rows)
    _, estimator = tiny_pair(model)
    estimator.n_features_in_ = len(vectorizer.feature_names_)
    put(folder, model, (vectorizer, estimator))
    line = refusal(folder, model)
    assert repr(left_out) in line
    assert "only in the code" in line


def test_another_separator_is_understood(folder: Path, model: Model) -> None:
    """DictVectorizer(separator=':') is as good as the default."""
    put(folder, model, tiny_pair(model, separator=":"), golden=[])
    assert Predictor.from_folder(folder, model).manifest.model == model.name


HOSTILE_PARTS: dict[str, Callable[[Any, Any], object]] = {
    "names are a number": lambda v, _: setattr(v, "feature_names_", 5),
    "names are numbers": lambda v, _: setattr(v, "feature_names_", [1] * len(v.feature_names_)),
    "names are an array": lambda v, _: setattr(v, "feature_names_", np.array(v.feature_names_)),
    "no vocabulary": lambda v, _: delattr(v, "vocabulary_"),
    "an empty vocabulary": lambda v, _: v.vocabulary_.clear(),
    "no coefficients": lambda _, e: delattr(e, "coef_"),
    "too few coefficients": lambda _, e: setattr(e, "coef_", e.coef_[..., :-1]),
    "coefficients of text": lambda _, e: setattr(e, "coef_", "many"),
    "two outputs": lambda _, e: setattr(e, "coef_", np.stack([np.vstack([e.coef_] * 2)] * 2)),
    "not a number": lambda _, e: setattr(e, "coef_", e.coef_ * np.nan),
}


@pytest.mark.parametrize("part", HOSTILE_PARTS)
def test_a_pair_that_cannot_answer_is_refused(folder: Path, model: Model, part: str) -> None:
    """Allowed classes with the wrong things inside stop the start with one line."""
    pair = copy.deepcopy(tiny_pair(model))
    HOSTILE_PARTS[part](*pair)
    put(folder, model, pair, golden=[])
    refusal(folder, model)


def test_the_note_of_another_version_lets_it_in(
    folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the owner accepted another scikit-learn version, the manifest says so; else it is
    refused."""
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "0.24.2")
        data = pickle.dumps(tiny_pair(model))
    put(folder, model, data)
    assert "scikit-learn 0.24.2" in refusal(folder, model)
    edit(folder, notes=[OTHER_VERSION])
    assert load(folder, model).manifest.notes == [OTHER_VERSION]
