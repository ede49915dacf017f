"""What is compared inside one process: a matrix from a table, and a score from one record."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from threadpoolctl import threadpool_limits

from benchmarks.load import BadAnswer
from scoring.artifact.reading import load
from scoring.models import Features, Model
from training.data.checks import check
from training.data.publishers import default_folder
from training.data.tables import read
from training.fit.features import features as features_of
from training.fit.features import fit_transform
from training.run import Options, train
from training.sources import source_of

MONTH = "green/green_tripdata_2021-01.parquet"  # in the folder that `make data` fills

_OF_THEIRS = 100  # records that scikit-learn scores


def rides(model: Model) -> tuple[str, pd.DataFrame]:
    """Return the usable rows of a real month where there is one, else of the bundled sample."""
    source = source_of(model)
    month = default_folder() / MONTH
    table = read(model, source, [month] if month.is_file() else [])
    return table.name, check(table, model, source).frame


def matrix(frame: pd.DataFrame, model: Model) -> tuple[float, float]:
    """Return the seconds that the tutorial's way takes from the table to the fitted matrix, and
    ours. Raises BadAnswer unless both matrices are the same."""
    begun = time.perf_counter()
    zones = frame[["PULocationID", "DOLocationID"]].astype(str)
    pairs = frame[["trip_distance"]].assign(PU_DO=zones.PULocationID + "_" + zones.DOLocationID)
    theirs = DictVectorizer()
    expected = theirs.fit_transform(pairs.to_dict("records"))
    between = time.perf_counter()
    made = DictVectorizer()
    found = fit_transform(made, frame, model)
    end = time.perf_counter()
    if made.feature_names_ != theirs.feature_names_ or (found != expected).nnz:
        raise BadAnswer("the two matrices differ")
    return between - begun, end - between


def answers(folder: Path, model: Model) -> tuple[float, Callable[[], float]]:
    """Return the number that scikit-learn answers the example with, and what computes it anew."""
    vectorizer, estimator = pickle.loads((folder / model.name / model.artifact_file).read_bytes())
    features = _features(model, vectorizer.feature_names_, vectorizer.separator)

    def theirs() -> float:
        x = vectorizer.transform([features])
        if model.task == "classification":
            return float(estimator.predict_proba(x)[0, 1])
        return float(estimator.predict(x)[0])

    return theirs(), theirs


def _features(model: Model, names: Sequence[str], separator: str) -> Features:
    """Return the example's features, those that a pair with these columns was fitted on."""
    fitted = model.fitted_on(names, separator)
    return fitted.features(model.record.model_validate(dict(model.example)))


def single(folder: Path, model: Model, calls: int) -> tuple[float, float]:
    """Return the microseconds that scikit-learn takes from one record's features to its score, and
    those of the scorer that the artifact chose. Raises BadAnswer unless both scores agree."""
    expected, theirs = answers(folder, model)
    artifact = load(folder / model.name, model)
    scorer = artifact.scorer
    features = _features(model, artifact.manifest.feature_names, "=")
    if abs(scorer.one(features)[0] - expected) > 1e-6:
        raise BadAnswer("the scorer and scikit-learn differ")
    return _each(lambda _: theirs(), range(calls)), _each(scorer.one, [features] * calls)


def by_means(folder: Path, model: Model, calls: int) -> tuple[float, float]:
    """Return the same of a model by target means, for as many rows of the table that it learned
    from, one after the other; it is trained where `folder` has none."""
    month = default_folder() / MONTH
    data = [month] if month.is_file() else []
    if not (folder / model.name).exists():
        train(Options(model=model, data=data, estimator="means", output=folder, log=_unsaid))
    artifact = load(folder / model.name, model)
    whole = model.fitted_on(artifact.manifest.feature_names, "=")
    rows = features_of(rides(model)[1].sample(calls, replace=True, random_state=1), whole)
    vectorizer, estimator = pickle.loads((folder / model.name / model.artifact_file).read_bytes())

    def theirs(row: Features) -> float:
        return float(estimator.predict(vectorizer.transform([row]))[0])

    scorer = artifact.scorer
    some = rows[:_OF_THEIRS]
    with threadpool_limits(1):  # several would still turn while ours is measured
        if any(abs(scorer.one(row)[0] - theirs(row)) > 1e-6 for row in some):
            raise BadAnswer("the scorer and scikit-learn differ")
        return _each(theirs, some), _each(scorer.one, rows)


def _unsaid(_line: str) -> None:
    """Say nothing of a training."""


def _each(call: Callable[[Any], Any], given: Sequence[Any]) -> float:
    begun = time.perf_counter()
    for one in given:
        call(one)
    return (time.perf_counter() - begun) / len(given) * 1e6
