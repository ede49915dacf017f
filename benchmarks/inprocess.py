"""What is compared inside one process: a matrix from a table, and a score from one record."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.feature_extraction import DictVectorizer

from benchmarks.load import BadAnswer
from scoring.artifact.reading import load
from scoring.models import Features, Model
from training.data.checks import check
from training.data.publishers import default_folder
from training.data.tables import read
from training.fit.features import fit_transform
from training.sources import source_of

MONTH = "green/green_tripdata_2021-01.parquet"  # in the folder that `make data` fills


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
    return _each(theirs, calls), _each(lambda: scorer.one(features), calls)


def _each(call: Callable[[], Any], calls: int) -> float:
    begun = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begun) / calls * 1e6
