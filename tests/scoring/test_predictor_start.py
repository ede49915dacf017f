"""`Predictor`: which artifacts do not start, and what it does to estimators of other versions."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from scoring.artifact.manifest import MANIFEST, OTHER_VERSION
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from tests.scoring.predictors import MODELS, predictor
from tests.support import records, tiny_pair
from training.fit.features import narrow


def forest(model: Model) -> Any:
    kind = RandomForestRegressor if model.task == "regression" else RandomForestClassifier
    return kind(n_estimators=3, n_jobs=2, random_state=1)


def fitted(model: Model, estimator: Any) -> tuple[Any, Any]:
    """Return a pair of this very estimator, which learns what the tiny pair says."""
    vectorizer, plain = tiny_pair(model)
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    x = narrow(vectorizer.transform(rows))
    return vectorizer, estimator.fit(x, plain.predict(x))


def test_a_model_that_answers_otherwise_than_when_it_was_made_does_not_start(
    models_dir: Path, model: Model, tmp_path: Path
) -> None:
    """A golden record that misses its answer by more than a millionth stops the start."""
    folder = shutil.copytree(models_dir / model.name, tmp_path / model.name)
    path = folder / MANIFEST
    facts = json.loads(path.read_text())
    answer = facts["golden"][1]["answer"]
    name = next(name for name, value in answer.items() if isinstance(value, float))
    true = answer[name]
    for factor, fits in [(1 + 1e-9, True), (1 + 1e-4, False), (1 - 1e-4, False)]:
        answer[name] = true * factor
        path.write_text(json.dumps(facts))
        if fits:
            assert Predictor.from_folder(folder, model).version == facts["version"]
            continue
        with pytest.raises(ArtifactError) as caught:
            Predictor.from_folder(folder, model)
        assert str(caught.value).startswith(f"model '{model.name}': golden record 2 gives ")
        assert len(str(caught.value).splitlines()) == 1
        assert "train" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer", [{"churn": False}, {"churn": 1.5}, {"duration": 1.0}, {"churn_probability": True}]
)
def test_a_golden_answer_of_another_kind_does_not_agree(answer: dict[str, Any]) -> None:
    """A truth is no number, and a missing value no value."""
    model = MODELS["churn"]
    true = predictor(model).answers([model.record.model_validate(records(model)[-1])])[0]
    golden = {"record": records(model)[-1], "answer": true}
    assert true["churn"] is True
    predictor(model, golden=[golden])
    with pytest.raises(ArtifactError, match="golden record 1 gives"):
        predictor(model, golden=[{**golden, "answer": {**true, **answer}}])


def test_a_golden_record_that_is_none_does_not_start(model: Model) -> None:
    """A manifest made for another schema is told by its first bad field."""
    field = next(iter(model.example))
    golden: list[Any] = [{"record": {}, "answer": {}}]
    with pytest.raises(ArtifactError, match=f"1 is not a valid record: {field}: miss"):
        predictor(model, golden=golden)


def test_a_forest_gets_one_thread(model: Model) -> None:
    """The server's threads are the parallelism; a forest's own would slow every request."""
    pair = fitted(model, forest(model))
    assert pair[1].n_jobs == 2
    predictor(model, pair)
    assert pair[1].n_jobs == 1


@pytest.mark.slow
def test_a_forest_within_a_pipeline_gets_one_thread(model: Model) -> None:
    """Every step that has threads of its own."""
    dense = ColumnTransformer(
        [("dense", "passthrough", slice(0, None))], sparse_threshold=0, n_jobs=2
    )
    steps = [("none", "passthrough"), ("dense", dense), ("forest", forest(model))]
    pair = fitted(model, Pipeline(steps))
    predictor(model, pair)
    assert [getattr(step, "n_jobs", None) for _, step in pair[1].steps] == [None, 1, 1]


@pytest.mark.slow
def test_an_estimator_without_threads_gets_no_such_attribute() -> None:
    """Nothing is set that was not there."""
    estimator = LinearRegression()
    del estimator.n_jobs
    pair = fitted(MODELS["ride"], Pipeline([("last", forest(MODELS["ride"]))]))
    predictor(MODELS["ride"], pair)
    assert "n_jobs" not in vars(pair[1])


@pytest.fixture
def older(models_dir: Path, model: Model, tmp_path: Path) -> Any:
    """Return a function that puts an altered pair in a folder as scikit-learn 0.24.2 wrote it."""

    def write(missing: str) -> Path:
        folder = shutil.copytree(models_dir / model.name, tmp_path / model.name)
        vectorizer, estimator = tiny_pair(model)
        delattr(estimator, missing)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sklearn.base.__version__", "0.24.2")
            data = pickle.dumps((vectorizer, estimator))
        (folder / model.artifact_file).write_bytes(data)
        facts = json.loads((folder / MANIFEST).read_text())
        facts |= {"sha256": hashlib.sha256(data).hexdigest(), "notes": [OTHER_VERSION]}
        facts["compiled"] = None
        (folder / MANIFEST).write_text(json.dumps(facts))
        return folder

    return write


@pytest.mark.slow
def test_an_estimator_of_an_older_version_serves_without_its_newer_parameters(
    older: Any, model: Model
) -> None:
    """An old pickle lacks parameters that came later; where predicting needs none of them, it
    serves."""
    missing = {"regression": "tol", "classification": "l1_ratio"}[model.task]
    made = Predictor.from_folder(older(missing), model)
    assert len(made.answers([made.reader.one(dict(model.example))])) == 1


def test_an_estimator_of_an_older_version_that_cannot_predict_does_not_start(
    older: Any, model: Model
) -> None:
    """Where predicting needs what is missing, the start stops with one line, not at a request."""
    with pytest.raises(ArtifactError) as caught:
        Predictor.from_folder(older("coef_"), model)
    assert str(caught.value).startswith(f"model '{model.name}': ")
    assert len(str(caught.value).splitlines()) == 1
