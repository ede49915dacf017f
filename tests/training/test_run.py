"""One training, from files to an artifact that serves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.artifact.manifest import Manifest
from scoring.artifact.pickles import loads
from scoring.artifact.reading import load
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from tests.training.support import (
    CHURN,
    RIDE,
    SMALL,
    customers,
    data_of,
    rows_of,
    saved,
    silent,
    table,
    trips,
)
from training import run
from training.data.checks import check
from training.errors import TrainingError
from training.fit import estimators
from training.fit.features import features
from training.fit.pair import score
from training.run import Options, train
from training.sources import source_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_plots")]

ALL = [(model, name) for model in discover().values() for name in estimators.names(model.task)]
CLASSES = {
    "linear": "LinearRegression",
    "lasso": "Lasso",
    "ridge": "Ridge",
    "logistic": "LogisticRegression",
    "forest": "RandomForest",
    "boosting": "HistGradientBoosting",
    "xgboost": "XGB",
    "means": "HistGradientBoosting",
}


def lines_of(options: Options) -> tuple[Manifest, list[str]]:
    """Train and return the manifest and every line that a person sees."""
    said: list[str] = []
    manifest = train(Options(**{**vars(options), "log": said.append}))
    return manifest, "\n".join(said).splitlines()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("model", "name"), ALL, ids=lambda part: getattr(part, "name", part))
def test_every_estimator_is_trained_written_and_served(
    model: Model, name: str, tmp_path: Path
) -> None:
    """It beats the trivial model, loads through the service's door, and predicts there what it
    predicted in training."""
    data = data_of(model, tmp_path)
    kept: list[tuple[Any, Any]] = []

    def remember(vectorizer: Any, estimator: Any, frame: pd.DataFrame, model: Model) -> Any:
        kept.append((vectorizer, estimator))
        return score(vectorizer, estimator, frame, model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "score", remember)
        options = silent(model, data, tmp_path, estimator=name, parameters=SMALL.get(name, {}))
        manifest = train(options)
    frame = check(table(source_of(model).tidy(rows_of(model))), model, source_of(model)).frame
    expected = score(*kept[0], frame, model)
    predictor = Predictor.from_folder(tmp_path / model.name, model)
    assert predictor.scores(features(frame, predictor.model)) == pytest.approx(expected, rel=1e-6)
    assert np.unique(expected.round(6)).size > 5
    assert CLASSES[name] in manifest.estimator


def test_the_manifest_tells_the_whole_story(tmp_path: Path) -> None:
    """Data, rows, seed, parameters, metrics, baseline, profile, and what was dropped."""
    frame = trips(200)
    frame.loc[[10, 20], "trip_distance"] = [-1.0, 500.0]
    frame["lpep_dropoff_datetime"] += pd.to_timedelta([3 * (n == 30) for n in range(200)], unit="h")
    data = saved(frame, tmp_path / "a.parquet")
    manifest, lines = lines_of(
        silent(RIDE, data, tmp_path, estimator="ridge", parameters={"alpha": 0.5}, seed=9)
    )
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert {part: (d.name, d.rows, d.sha256) for part, d in manifest.data.items()} == {
        "training": ("a.parquet", 118, digest),
        "validation": ("a.parquet", 39, digest),
        "test": ("a.parquet", 40, digest),
    }
    assert manifest.dropped == {
        "duration is not from 1 to 60 minutes": 1,
        "trip_distance is not a number from 0 to 100": 2,
    }
    assert (manifest.estimator, manifest.parameters["alpha"], manifest.seed) == ("Ridge", 0.5, 9)
    assert list(manifest.metrics) == list(manifest.baseline) == ["validation", "test"]
    assert manifest.metrics["test"]["rmse"] < manifest.baseline["test"]["rmse"]
    assert list(manifest.profile) == [*RIDE.record.model_fields, "duration"]
    assert manifest.profile["duration"]["count"] == 118
    written = (tmp_path / "ride" / "manifest.json").read_text()
    assert json.loads(written, parse_constant=pytest.fail)["model"] == "ride"
    assert lines[:3] == [
        "a.parquet: 197 of 200 rows are used",
        "  dropped 1: duration is not from 1 to 60 minutes",
        "  dropped 2: trip_distance is not a number from 0 to 100 (--published keeps them)",
    ]
    assert lines[3].startswith("field ")
    assert lines[4].startswith("PULocationID ")
    assert lines[-1] == f"wrote {tmp_path / 'ride'}: ridge, version {manifest.version}"
    assert any(line.split() == ["test", "(40", "rows)", "model", "the", "mean"] for line in lines)


def test_golden_records_come_from_data_that_the_model_has_not_seen(tmp_path: Path) -> None:
    """The example first, then rows of the test from first to last."""
    manifest = train(silent(RIDE, data_of(RIDE, tmp_path), tmp_path))
    records = [golden.record for golden in manifest.golden]
    assert records[0] == dict(RIDE.example)
    frame = trips(400)[list(RIDE.record.model_fields)].to_dict("records")
    assert (records[1], records[-1]) == (frame[320], frame[399])
    assert len(records) == 9


def test_absurd_values_do_not_reach_the_model(tmp_path: Path) -> None:
    """NaN, negative, endless and far too large: none is in what was learned from, or in a golden
    record."""
    frame = trips(400).astype({"PULocationID": "float64"})
    strange = [np.nan, -3.0, np.inf, -np.inf, 1e9]
    frame.loc[range(0, 50, 10), "trip_distance"] = strange
    frame.loc[range(1, 51, 10), "PULocationID"] = strange
    manifest = train(silent(RIDE, saved(frame, tmp_path / "a.parquet"), tmp_path))
    assert sum(manifest.dropped.values()) == 10
    assert manifest.profile["trip_distance"]["count"] == 390 * 3 // 5
    for name, low, high in (("trip_distance", 0.5, 10), ("PULocationID", 1, 5)):
        entry = manifest.profile[name]
        assert (entry["min"], entry["max"]) == (low, high)
    assert manifest.feature_names[-1] == "trip_distance"
    assert all(
        name.startswith("PU_DO=") and "." not in name for name in manifest.feature_names[:-1]
    )


def test_the_published_way_keeps_what_is_out_of_range_and_says_so(tmp_path: Path) -> None:
    """It is learned from, but no golden record: the endpoint would not take it."""
    frame = trips(400)
    frame.loc[[399, 5], "trip_distance"] = [5000.0, -1.0]
    data = saved(frame, tmp_path / "a.parquet")
    manifest, lines = lines_of(silent(RIDE, data, tmp_path, published=True, force=True))
    reason = "trip_distance is not a number from 0 to 100"
    assert f"  kept 2 as the published results did: {reason}" in lines
    assert manifest.profile["trip_distance"]["min"] == -1.0
    assert sum(part.rows for part in manifest.data.values()) == 400
    assert len(manifest.golden) == 8
    assert all(golden.record["trip_distance"] <= 100 for golden in manifest.golden)


def test_a_category_is_the_same_in_training_and_at_the_endpoint(tmp_path: Path) -> None:
    """`Month-to-month` in the file, any spelling in the request: one answer, nothing unseen."""
    data = data_of(CHURN, tmp_path)
    assert {"Month-to-month", "Two year"} <= set(customers()["Contract"])
    manifest = train(silent(CHURN, data, tmp_path))
    contracts = [name for name in manifest.feature_names if name.startswith("contract=")]
    assert contracts == ["contract=month-to-month", "contract=one_year", "contract=two_year"]
    predictor = Predictor.from_folder(tmp_path / "churn", CHURN)
    spelt = ["month-to-month", "Month-to-month", " MONTH-TO-MONTH "]
    answers = [
        predictor.answers([predictor.reader.one({**CHURN.example, "contract": word})])
        for word in spelt
    ]
    assert answers[0] == answers[1] == answers[2]
    assert "unseen" not in answers[0][0]


@pytest.mark.parametrize("model", [RIDE, CHURN], ids=["ride", "churn"])
def test_a_model_no_better_than_trivial_is_not_written(model: Model, tmp_path: Path) -> None:
    """Here the target was shuffled: there is nothing to learn. --force writes it all the same."""
    frame = rows_of(model)
    random = np.random.default_rng(3)
    if model is RIDE:
        begin = frame["lpep_pickup_datetime"]
        length = (frame["lpep_dropoff_datetime"] - begin).to_numpy()
        frame["lpep_dropoff_datetime"] = begin + random.permutation(length)
        trivial = "the mean"
    else:
        frame["Churn"] = random.permutation(frame["Churn"].to_numpy())
        trivial = "the class rate"
    data = saved(frame, tmp_path / ("a.parquet" if model is RIDE else "a.csv"))
    output = tmp_path / "models"
    with pytest.raises(TrainingError) as caught:
        train(silent(model, data, output))
    verdict = f"on the test data the model is no better than {trivial}"
    assert str(caught.value) == f"{verdict}; nothing was written (--force writes it all the same)"
    assert not output.exists()
    manifest, lines = lines_of(silent(model, data, output, force=True))
    assert load(output / model.name, model).manifest == manifest
    assert f"{verdict}; written all the same" in lines


@pytest.mark.parametrize(
    ("model", "name", "parameters", "message"),
    [
        (RIDE, "lasso", {"alpha": "much"}, "The 'alpha' parameter of Lasso must be"),
        (RIDE, "forest", {"n_estimators": -1}, "The 'n_estimators' parameter of RandomForest"),
        (RIDE, "boosting", {"max_iter": 0.5}, "The 'max_iter' parameter of HistGradientBoosting"),
        (CHURN, "logistic", {"solver": "magic"}, "The 'solver' parameter of LogisticRegression"),
        (RIDE, "xgboost", {"objective": "magic"}, "Unknown objective function"),
        (RIDE, "xgboost", {"n_estimators": "many"}, ""),
    ],
)
def test_a_parameter_of_a_bad_value_is_named(
    model: Model, name: str, parameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """With what the estimator takes; nothing is written."""
    data = data_of(model, tmp_path)
    options = silent(model, data, tmp_path / "models", estimator=name, parameters=parameters)
    with pytest.raises(TrainingError) as caught:
        train(options)
    assert str(caught.value).startswith("the estimator cannot be fitted: ")
    assert message in str(caught.value)
    assert not (tmp_path / "models").exists()


def test_one_class_alone_cannot_be_learned(tmp_path: Path) -> None:
    """Nobody left: the table is named, before anything is fitted."""
    data = saved(customers().assign(Churn="No"), tmp_path / "a.csv")
    with pytest.raises(TrainingError, match=r"^a\.csv: churn is 0 in all of the 400"):
        train(silent(CHURN, data, tmp_path))


@pytest.mark.usefixtures("one_thread")
def test_xgboost_may_stop_early(tmp_path: Path) -> None:
    """It watches the validation, and stops well before all its rounds."""
    data = data_of(RIDE, tmp_path)
    given = {"n_estimators": 500, "early_stopping_rounds": 3, "learning_rate": 0.5}
    train(silent(RIDE, data, tmp_path, estimator="xgboost", parameters=given))
    _, estimator = loads((tmp_path / "ride" / RIDE.artifact_file).read_bytes())[0]
    assert estimator.best_iteration < 490


def test_a_foreign_folder_is_refused_before_the_long_work(tmp_path: Path) -> None:
    """The data is not even looked for."""
    (tmp_path / "ride").mkdir()
    (tmp_path / "ride" / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"holds files but no manifest\.json"):
        train(silent(RIDE, tmp_path / "nowhere.parquet", tmp_path))


def test_the_plots_are_of_what_was_judged_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the test and the model's scores for them, at its threshold."""
    drawn: list[Any] = []
    monkeypatch.setattr("training.run.plots.draw", lambda *words: drawn.append(words))
    train(silent(CHURN, data_of(CHURN, tmp_path), tmp_path, threshold=0.3))
    [(folder, model, _, frame, scores, threshold)] = drawn
    assert folder.parent == tmp_path
    assert (model, len(frame), threshold) == (CHURN, 80, 0.3)
    predictor = Predictor.from_folder(tmp_path / "churn", CHURN)
    assert predictor.scores(features(frame, CHURN)) == pytest.approx(scores)
