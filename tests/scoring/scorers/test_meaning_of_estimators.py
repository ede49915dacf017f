"""What the numbers and classes of a foreign pair mean, for every estimator that is taken."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, MaxAbsScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier

from scoring.artifact.foreign import read
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from tests.support import records
from training.adoption.take_in import Options, adopt

pytestmark = pytest.mark.slow

MODELS = discover()
RIDE, CHURN = MODELS["ride"], MODELS["churn"]
LEFT = np.arange(201) % 3 == 0

CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(solver="liblinear"),
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=1),
    "forest": lambda: RandomForestClassifier(n_estimators=5, random_state=1),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=5),
    "gradient": lambda: GradientBoostingClassifier(n_estimators=5, random_state=1),
    "extra": lambda: ExtraTreesClassifier(n_estimators=5, random_state=1),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression(solver="liblinear")),
    "scaled": lambda: make_pipeline(
        ColumnTransformer([("all", MaxAbsScaler(), slice(0, None))]),
        RandomForestClassifier(n_estimators=5, random_state=1),
    ),
}  # fmt: skip
TARGETS: dict[str, tuple[Any, str | None]] = {
    "churned and stayed": (np.where(LEFT, "churned", "stayed"), "churned"),
    "true and false": (LEFT, None),
    "yes and no": (np.where(LEFT, "Yes", "No"), None),
    "floats": (LEFT.astype(float), None),
    "minus one": (np.where(LEFT, 1, -1), None),
    "left before stayed": (np.where(LEFT, "a left", "b stayed"), "a left"),
    "a zero that is meant": (np.where(LEFT, 0, 1), "0"),
}  # fmt: skip


def matrix(model: Model) -> tuple[DictVectorizer, Any]:
    rows = [model.features(model.record.model_validate(row)) for row in records(model, 200)]
    vectorizer = DictVectorizer(sparse=False)
    return vectorizer, vectorizer.fit_transform([dict(row) for row in rows])


def take_in(pair: Any, model: Model, folder: Path, positive: str | None = None) -> Predictor:
    path = folder / "pair.bin"
    path.write_bytes(pickle.dumps(pair))
    models = folder / "models"
    adopt(model, [path], Options(output=models, positive=positive))
    return Predictor.from_folder(models / model.name, model)


def from_registry(pair: Any, model: Model, folder: Path) -> Predictor:
    """Return what a registry's version without a manifest gives."""
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(pair))
    return Predictor(model, read(folder, model, version="1", created=NOW))


NOW = datetime.fromisoformat("2026-01-31T00:00:00+00:00")


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        pytest.param(*case, marks=() if {*case} & {"logistic", "floats"} else pytest.mark.long)
        for case in itertools.product(CLASSIFIERS, TARGETS)
    ],
)
def test_the_score_is_the_probability_of_leaving(
    tmp_path: Path, estimator: str, target: str
) -> None:
    """Whatever the classes are called and in whichever order, by adoption and from a registry."""
    vectorizer, x = matrix(CHURN)
    classes, positive = TARGETS[target]
    fitted = CLASSIFIERS[estimator]().fit(x, classes)
    place = list(map(str, fitted.classes_)).index(positive or str(classes[LEFT][0]))
    expected = fitted.predict_proba(x[:20])[:, place]
    rows = records(CHURN, 200)[:20]
    got = take_in((vectorizer, fitted), CHURN, tmp_path, positive).many(rows).scores
    assert got == pytest.approx(expected, abs=1e-9)
    if positive is None:
        found = from_registry((vectorizer, fitted), CHURN, tmp_path / "version")
        assert found.many(rows).scores == pytest.approx(expected, abs=1e-9)
    elif positive != "0":
        with pytest.raises(ArtifactError, match="training.adopt ... --positive CLASS"):
            from_registry((vectorizer, fitted), CHURN, tmp_path / "version")


@pytest.mark.parametrize("estimator", ["tree", "forest", "extra", "scaled"])
def test_counts_of_older_trees_are_shares(tmp_path: Path, estimator: str) -> None:
    """Uncompiled, with the positive class first, and within a Pipeline."""
    vectorizer, x = matrix(CHURN)
    fitted = CLASSIFIERS[estimator]().fit(x, TARGETS["left before stayed"][0])
    expected = fitted.predict_proba(x[:20])[:, 0]
    last = fitted[-1] if estimator == "scaled" else fitted
    for tree in getattr(last, "estimators_", [last]):
        tree.tree_.value[...] *= tree.tree_.weighted_n_node_samples[:, None, None]
    found = take_in((vectorizer, fitted), CHURN, tmp_path, "a left")
    assert found.many(records(CHURN, 200)[:20]).scores == pytest.approx(expected, abs=1e-9)


def _of_a_pipeline(pipeline: Any) -> Any:
    return pipeline[0].named_transformers_["all"]


def nan_threshold(it: Any) -> None:
    it.tree_.threshold[0] = np.nan


def infinite_leaf(it: Any) -> None:
    it.tree_.value[-1] = np.inf


def nan_stage(it: Any) -> None:
    it.estimators_[2, 0].tree_.value[-1] = np.nan


def nan_node(it: Any) -> None:
    it._predictors[0][0].nodes["value"][-1] = np.nan


def nan_split(it: Any) -> None:
    it._predictors[0][0].nodes["num_threshold"][0] = np.nan


def nan_baseline(it: Any) -> None:
    it._baseline_prediction = np.array([[np.nan]])


def infinite_weight(it: Any) -> None:
    it.coef_[..., 0] = np.inf


def opposite_infinities(it: Any) -> None:
    it.coef_[..., :2] = [np.inf, -np.inf]


def infinite_intercept(it: Any) -> None:
    it.intercept_ = np.float64(-np.inf)


def nan_mean(it: Any) -> None:
    it[0].mean_[0] = np.nan


def zero_scale(it: Any) -> None:
    it[0].scale_[1] = 0


def nested_scale(it: Any) -> None:
    _of_a_pipeline(it).scale_[0] = np.nan


BROKEN: dict[str, tuple[Model, Callable[[], Any], Callable[[Any], None], str]] = {
    "threshold": (CHURN, CLASSIFIERS["tree"], nan_threshold, "holds a threshold that is not a"),
    "a regression's": (RIDE, DecisionTreeRegressor, nan_threshold, "holds a threshold that is not"),
    "leaf": (RIDE, DecisionTreeRegressor, infinite_leaf, "holds a leaf that is not a number"),
    "stage": (CHURN, CLASSIFIERS["gradient"], nan_stage, "holds a leaf that is not a number"),
    "node": (CHURN, CLASSIFIERS["boosting"], nan_node, "holds a leaf that is not a number"),
    "split": (RIDE, HistGradientBoostingRegressor, nan_split, "holds a threshold that is not a"),
    "baseline": (RIDE, HistGradientBoostingRegressor, nan_baseline, "_baseline_prediction is nan"),
    "weight": (RIDE, LinearRegression, infinite_weight, "LinearRegression.coef_ of 'PU_DO="),
    "two weights": (RIDE, LinearRegression, opposite_infinities, "LinearRegression.coef_ of"),
    "intercept": (RIDE, LinearRegression, infinite_intercept, "LinearRegression.intercept_ is -in"),
    "mean": (CHURN, CLASSIFIERS["pipeline"], nan_mean, "StandardScaler.mean_ of 'contract="),
    "scale": (CHURN, CLASSIFIERS["pipeline"], zero_scale, "StandardScaler.scale_ of '.*' is 0.0"),
    "within": (CHURN, CLASSIFIERS["scaled"], nested_scale, "MaxAbsScaler.scale_ of '.*' is nan"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_number_that_is_none_is_refused(tmp_path: Path, case: str) -> None:
    """By its place, before anybody is answered; from a registry as well."""
    model, make, spoil, words = BROKEN[case]
    vectorizer, x = matrix(model)
    fitted = make().fit(x, LEFT if model is CHURN else x[:, -1])
    spoil(fitted)
    with pytest.raises(ArtifactError, match=words):
        take_in((vectorizer, fitted), model, tmp_path)
    with pytest.raises(ArtifactError, match=words):
        from_registry((vectorizer, fitted), model, tmp_path / "version")


def test_an_infinite_threshold_that_parts_the_missing_is_taken(tmp_path: Path) -> None:
    """Scikit-learn makes it where missing values go the other way."""
    vectorizer, x = matrix(RIDE)
    fitted = DecisionTreeRegressor(max_depth=3).fit(x, x[:, -1])
    fitted.tree_.threshold[0] = np.inf
    assert take_in((vectorizer, fitted), RIDE, tmp_path).one(dict(RIDE.example)).scores


def three(_: DictVectorizer, x: Any) -> Any:
    return RandomForestClassifier(n_estimators=2).fit(x, np.arange(201) % 3)


def one_class(_: DictVectorizer, x: Any) -> Any:
    return DecisionTreeClassifier().fit(x, np.zeros(201, dtype=int))


def beyond_one(_: DictVectorizer, x: Any) -> Any:
    tree = DecisionTreeClassifier(max_depth=2).fit(x, LEFT)
    tree.tree_.value[..., 0], tree.tree_.value[..., 1] = -1.5, 2.5
    return tree


def too_much(_: DictVectorizer, x: Any) -> Any:
    tree = DecisionTreeClassifier(max_depth=2).fit(x, LEFT)
    tree.tree_.value[..., 0] = -tree.tree_.value[..., 1]
    return tree


def swapped(vectorizer: DictVectorizer, x: Any) -> Any:
    fitted = LogisticRegression(solver="liblinear").fit(x, LEFT)
    names = vectorizer.feature_names_
    names[0], names[1] = names[1], names[0]
    return fitted


def no_separator(vectorizer: DictVectorizer, x: Any) -> Any:
    vectorizer.separator = ""
    return LogisticRegression(solver="liblinear").fit(x, LEFT)


def raw_margins(_: DictVectorizer, x: Any) -> Any:
    return XGBClassifier(objective="binary:logitraw", n_estimators=5).fit(x, LEFT)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (three, "knows 3 classes, not two"),
        (one_class, "knows 1 classes, not two"),
        (beyond_one, "a probability beyond 0 and 1"),
        (too_much, "do not add up to 1|probability beyond"),
        (swapped, "names and the places of its columns differ"),
        (no_separator, "separator is ''; a text is expected"),
        (raw_margins, "a probability beyond 0 and 1"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_is_no_probability_of_one_of_two_classes_is_refused(
    tmp_path: Path, make: Callable[..., Any], words: str
) -> None:
    """At adoption and from a registry, not at the first request."""
    vectorizer, x = matrix(CHURN)
    pair = vectorizer, make(vectorizer, x)
    with pytest.raises(ArtifactError, match=words):
        take_in(pair, CHURN, tmp_path)
    with pytest.raises((ArtifactError, ArithmeticError), match=words):
        from_registry(pair, CHURN, tmp_path / "version")


def test_a_regression_takes_no_classifier_and_no_positive_class(tmp_path: Path) -> None:
    """Numbers of classes are no minutes, and a class that is named must be one."""
    vectorizer, x = matrix(RIDE)
    classes = LabelEncoder().fit_transform(x[:, -1] > 20)
    with pytest.raises(ArtifactError, match="tells 2 classes apart; 'ride' predicts a number"):
        take_in((vectorizer, DecisionTreeClassifier().fit(x, classes)), RIDE, tmp_path)
    fitted = LinearRegression().fit(x, x[:, -1])
    with pytest.raises(ArtifactError, match="--positive names a class; 'ride' predicts a number"):
        take_in((vectorizer, fitted), RIDE, tmp_path, "1")


def test_a_column_of_targets_is_one_number_a_record_and_two_are_refused(tmp_path: Path) -> None:
    """An estimator fitted on (n, 1) targets predicts such; one on (n, 2) predicts too much."""
    vectorizer, x = matrix(RIDE)
    one = LinearRegression().fit(x, x[:, -1:])
    assert take_in((vectorizer, one), RIDE, tmp_path).one(dict(RIDE.example)).scores
    two = DecisionTreeRegressor().fit(x, x[:, -2:])
    with pytest.raises(ArtifactError, match="it predicts 2 numbers a record"):
        take_in((vectorizer, two), RIDE, tmp_path)
