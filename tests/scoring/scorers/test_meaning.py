"""Pairs of another maker: what they mean is proved, mapped with a word, or refused."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.artifact.manifest import Manifest
from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.scorers.meaning import respelled
from scoring.scorers.sklearn import SklearnScorer
from tests.support import records
from training.adoption.take_in import Options, adopt

MODELS = discover()
RIDE, CHURN = MODELS["ride"], MODELS["churn"]
CUSTOMERS = [CHURN.features(CHURN.record.model_validate(row)) for row in records(CHURN, 200)]
LEFT = np.arange(len(CUSTOMERS)) % 3 == 0


def take_in(pair: Any, model: Any, folder: Path, **options: Any) -> Manifest:
    path = folder / "pair.bin"
    path.write_bytes(pickle.dumps(pair))
    return adopt(model, [path], Options(output=folder / "models", **options))


def churn_pair(target: Any, rows: Any = CUSTOMERS) -> tuple[DictVectorizer, Any]:
    vectorizer = DictVectorizer(sparse=False)
    x = vectorizer.fit_transform([dict(row) for row in rows])
    return vectorizer, LogisticRegression(solver="liblinear").fit(x, target)


def score(folder: Path) -> float:
    predictor = Predictor.from_folder(folder / "models" / "churn", CHURN)
    return float(predictor.one(dict(CHURN.example)).scores[0])


@pytest.mark.slow
def test_classes_of_unknown_names_are_refused_or_named(tmp_path: Path) -> None:
    """`churned` and `stayed` say nothing; once named, the probability is that of the one named."""
    pair = churn_pair(np.where(LEFT, "churned", "stayed"))
    with pytest.raises(ArtifactError, match="which one is the positive one is not known"):
        take_in(pair, CHURN, tmp_path)
    with pytest.raises(ArtifactError, match="none is 'left'"):
        take_in(pair, CHURN, tmp_path, positive="left")
    take_in(pair, CHURN, tmp_path, positive="churned")
    churned = score(tmp_path)
    take_in(churn_pair(LEFT.astype(int)), CHURN, tmp_path)
    assert churned == pytest.approx(score(tmp_path), rel=1e-3)


@pytest.mark.slow
def test_another_spelling_of_categories_is_mapped(tmp_path: Path) -> None:
    """`Month to month` is `month-to-month` no more than `Yes` is `yes`: mapped where the choices
    are known, and said so."""
    rows = [
        {
            name: value.capitalize().replace("_", " ") if isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in CUSTOMERS
    ]
    manifest = take_in(churn_pair(LEFT.astype(int), rows), CHURN, tmp_path)
    assert any("respelled" in note for note in manifest.notes)
    respelled = score(tmp_path)
    take_in(churn_pair(LEFT.astype(int)), CHURN, tmp_path)
    assert respelled == pytest.approx(score(tmp_path))


def test_a_category_under_another_name_is_refused() -> None:
    """`fiber` is no choice of the code's, which then misses one: all who have it would be unseen. A
    choice that training never saw is none of that."""
    rows = [{**row, "contract": str(row["contract"]).replace("two", "second")} for row in CUSTOMERS]
    words = "knows 'contract' as 'second_year', which 'churn' never makes, and does not know 'two_"
    with pytest.raises(ArtifactError, match=words):
        SklearnScorer(churn_pair(LEFT, rows), CHURN)
    fewer = [{**row, "contract": "one_year"} for row in CUSTOMERS]
    SklearnScorer(churn_pair(LEFT, fewer), CHURN)


def test_a_code_that_fills_up_with_zeros_keeps_its_zeros() -> None:
    """Its own spelling is no other."""
    padded = replace(
        RIDE,
        features=lambda ride: {
            "PU_DO": f"{ride.PULocationID:03}_{ride.DOLocationID:03}",
            "trip_distance": ride.trip_distance,
        },
    )
    vectorizer, _ = ride_pair("{:03}_{:03}")
    assert respelled(vectorizer, padded) == (vectorizer, {})


def ride_pair(pattern: str) -> tuple[DictVectorizer, LinearRegression]:
    rows = [
        {"PU_DO": pattern.format(zone, zone + 1), "trip_distance": float(zone % 9)}
        for zone in range(1, 60)
    ]
    vectorizer = DictVectorizer()
    return vectorizer, LinearRegression().fit(vectorizer.fit_transform(rows), np.arange(59.0))


@pytest.mark.slow
def test_zones_as_floats_are_mapped_and_other_pairs_refused(tmp_path: Path) -> None:
    """`74.0_75.0` and `074_075` can only be `74_75`; `74-75` and names are not guessed at."""
    for pattern in ("{}.0_{}.0", "{:03}_{:03}"):
        manifest = take_in(ride_pair(pattern), RIDE, tmp_path)
        assert "PU_DO=7_8" in manifest.feature_names
    for pattern in ("{}-{}", "Zone {} to {}"):
        with pytest.raises(ArtifactError, match="no category of 'PU_DO' is spelt as"):
            take_in(ride_pair(pattern), RIDE, tmp_path)


def test_a_weight_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    """One NaN among the weights, of a pair that the example does not ask."""
    vectorizer, estimator = ride_pair("{}_{}")
    estimator.coef_[vectorizer.vocabulary_["PU_DO=7_8"]] = np.nan
    with pytest.raises(ArtifactError, match=r"LinearRegression.coef_ of 'PU_DO=7_8' is nan"):
        take_in((vectorizer, estimator), RIDE, tmp_path)


def test_a_weight_that_is_none_is_refused() -> None:
    """Of an array of objects."""
    vectorizer, estimator = ride_pair("{}_{}")
    estimator.coef_ = estimator.coef_.astype(object)
    estimator.coef_[3] = None
    with pytest.raises(ArtifactError, match="a weight of it is no number: float"):
        SklearnScorer((vectorizer, estimator), RIDE)


def test_a_forest_of_counts_answers_shares() -> None:
    """Trees pickled before scikit-learn 1.4 hold counts: they give what they gave there."""
    vectorizer = DictVectorizer(sparse=False)
    x = vectorizer.fit_transform([dict(row) for row in CUSTOMERS])
    forest = RandomForestClassifier(n_estimators=5, random_state=1).fit(x, LEFT.astype(int))
    expected = forest.predict_proba(x[:5])[:, 1]
    for one in forest.estimators_:
        one.tree_.value[...] *= 25
    assert forest.predict_proba(x[:5])[:, 1].max() > 1
    scores, _ = SklearnScorer((vectorizer, forest), CHURN).many(CUSTOMERS[:5])
    assert scores == pytest.approx(expected)


@pytest.mark.slow
def test_what_is_not_known_of_a_foreign_pair_is_unknown(tmp_path: Path) -> None:
    """Neither our commit nor our libraries trained it: only scikit-learn's version is known."""
    manifest = take_in(ride_pair("{}_{}"), RIDE, tmp_path)
    assert (manifest.python, manifest.git_commit) == ("unknown", None)
    assert list(manifest.libraries) == ["scikit-learn"]
