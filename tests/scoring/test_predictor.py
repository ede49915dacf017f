"""One model, loaded and proved: what it answers, and when it refuses to start."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline

from scoring.artifact import MANIFEST, OTHER_VERSION, Artifact, Manifest, load
from scoring.errors import ArtifactError, InvalidRecords
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.scorers.pair import Pair
from tests.support import records, tiny_pair
from training.features import narrow

MODELS = discover()


def manifest(model: Model, **facts: Any) -> Manifest:
    """Gives a manifest with no golden record."""
    given = {
        "model": model.name, "version": "1", "file": model.artifact_file, "sha256": "0" * 64,
        "created": datetime.now(UTC), "estimator": "", "parameters": {}, "threshold": 0.5,
        "python": "", "libraries": {}, "feature_names": [], "golden": [],
    }  # fmt: skip
    return Manifest.model_validate({**given, **facts})


def predictor(model: Model, pair: Any = None, **facts: Any) -> Predictor:
    """Gives a predictor that was never a file."""
    return Predictor(
        model, Artifact(manifest(model, **facts), Pair(pair or tiny_pair(model), model))
    )


def forest(model: Model) -> Any:
    kind = RandomForestRegressor if model.task == "regression" else RandomForestClassifier
    return kind(n_estimators=3, n_jobs=2, random_state=1)


def fitted(model: Model, estimator: Any) -> tuple[Any, Any]:
    """Gives a pair of this very estimator, which learns what the tiny pair says."""
    vectorizer, plain = tiny_pair(model)
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    x = narrow(vectorizer.transform(rows))
    return vectorizer, estimator.fit(x, plain.predict(x))


def test_a_batch_is_answered_as_its_records_are(model: Model) -> None:
    """One vectorised pass gives the answers, in order, that the records get alone."""
    made = predictor(model)
    rows = made.reader.many(records(model, 50))
    together = made.answers(rows)
    alone = [made.answers([row])[0] for row in rows]
    assert len(together) == len(rows)
    for got, expected in zip(together, alone, strict=True):
        assert got == {
            k: pytest.approx(v, rel=1e-12) if isinstance(v, float) else v
            for k, v in expected.items()
        }
    assert len({str(answer) for answer in together}) > 10, "all answers are alike: any order does"


def test_the_scores_are_those_of_scikit_learns_own_pipeline(model: Model) -> None:
    """Nothing is lost between the record and the estimator, to twelve digits."""
    vectorizer, estimator = tiny_pair(model)
    made = predictor(model, (vectorizer, estimator))
    features = [model.features(row) for row in made.reader.many(records(model, 50))]
    pipeline = make_pipeline(vectorizer, estimator)
    if model.task == "regression":
        expected = pipeline.predict(features)
    else:
        expected = pipeline.predict_proba(features)[:, 1]
    np.testing.assert_allclose(made.scores(features), expected, rtol=1e-12, atol=1e-12)
    assert all(type(score) is float for score in made.scores(features))


def test_the_probability_is_that_of_the_positive_class() -> None:
    """Of two classes, the one that sorts last."""
    model = MODELS["churn"]
    made = predictor(model)
    rows = made.reader.many(records(model, 50))
    scores = made.scores([model.features(row) for row in rows])
    totals = [dict(row)["totalcharges"] for row in rows]
    assert np.corrcoef(scores, totals)[0, 1] > 0.5, "tiny_pair's positives are the high charges"


def test_no_records_get_no_answers(model: Model) -> None:
    """An empty array is a valid request."""
    assert predictor(model).answers([]) == []
    assert predictor(model).scores([]) == []


def test_a_pair_of_zones_that_training_never_saw_is_named() -> None:
    """It is predicted, and the answer says which feature was new."""
    model = MODELS["ride"]
    made = predictor(model)
    seen, new = made.answers(
        made.reader.many([dict(model.example), {**model.example, "DOLocationID": 264}])
    )
    assert "unseen" not in seen
    assert new["unseen"] == ["PU_DO=10_264"]
    assert math.isfinite(new["duration"])


def test_an_unseen_category_is_named_with_its_own_separator() -> None:
    """The name is that of the column that is missing."""
    made = predictor(MODELS["ride"], tiny_pair(MODELS["ride"], separator=": "))
    row = {"PULocationID": 263, "DOLocationID": 264, "trip_distance": 1.0}
    assert made.one(row).answers[0]["unseen"] == ["PU_DO: 263_264"]


def test_a_new_number_is_nothing_unseen(model: Model) -> None:
    """Only categories can be unseen; a quantity is a quantity."""
    made = predictor(model)
    features = model.features(made.reader.one(dict(model.example)))
    moved = {k: v if isinstance(v, str) else v + 0.123 for k, v in features.items()}
    assert not made.scorer.one(moved)[1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_never_answered(value: float) -> None:
    """A model that gives NaN for some records fails rather than answer it."""
    model = MODELS["ride"]
    vectorizer, estimator = tiny_pair(model)
    made = predictor(model, (vectorizer, estimator))
    row = records(model)[-1]
    zones = f"PU_DO={row['PULocationID']}_{row['DOLocationID']}"
    estimator.coef_[vectorizer.vocabulary_[zones]] = value
    good = made.reader.one(dict(model.example))
    with pytest.raises(ArithmeticError, match="model 'ride' 1 gave no finite number"):
        made.answers([good, made.reader.one(row)])


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
    golden = [{"record": {}, "answer": {}}]
    with pytest.raises(ArtifactError, match=f"golden record 1 is no valid record: {field}: miss"):
        predictor(model, golden=golden)


def test_a_threshold_of_the_manifest_is_used() -> None:
    """The model may say from which probability on a customer leaves."""
    model = MODELS["churn"]
    rows = [model.record.model_validate(row) for row in records(model, 50)]
    for threshold in (0.0, 0.3, 1.0):
        for answer in predictor(model, threshold=threshold).answers(rows):
            assert answer["churn"] is (answer["churn_probability"] >= threshold)


def test_a_forest_gets_one_thread(model: Model) -> None:
    """The server's threads are the parallelism; a forest's own would slow every request."""
    pair = fitted(model, forest(model))
    assert pair[1].n_jobs == 2
    predictor(model, pair)
    assert pair[1].n_jobs == 1


def test_a_forest_within_a_pipeline_gets_one_thread(model: Model) -> None:
    """Every step that has threads of its own."""
    dense = ColumnTransformer(
        [("dense", "passthrough", slice(0, None))], sparse_threshold=0, n_jobs=2
    )
    steps = [("none", "passthrough"), ("dense", dense), ("forest", forest(model))]
    pair = fitted(model, Pipeline(steps))
    predictor(model, pair)
    assert [getattr(step, "n_jobs", None) for _, step in pair[1].steps] == [None, 1, 1]


def test_an_estimator_without_threads_gets_no_such_attribute() -> None:
    """Nothing is set that was not there."""
    estimator = LinearRegression()
    del estimator.n_jobs
    pair = fitted(MODELS["ride"], Pipeline([("last", forest(MODELS["ride"]))]))
    predictor(MODELS["ride"], pair)
    assert "n_jobs" not in vars(pair[1])


@pytest.fixture
def older(models_dir: Path, model: Model, tmp_path: Path) -> Any:
    """Gives a function that puts an altered pair in a folder as scikit-learn 0.24.2 wrote it."""

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


def test_a_predictor_says_what_it_is(models_dir: Path, model: Model) -> None:
    """Version, manifest and the moment of loading."""
    before = datetime.now(UTC)
    made = Predictor.from_folder(models_dir / model.name, model)
    held = load(models_dir / model.name, model).manifest
    assert made.manifest == held
    assert made.version == held.version == held.sha256[:12]
    assert before <= made.loaded <= before + timedelta(minutes=1)
    assert made.model is model


def test_one_value_gives_its_record_its_score_and_its_answer(model: Model) -> None:
    """All that the way of a request makes of a value, in one call."""
    made = predictor(model)
    found = made.one({**model.example, "customer": "not ours"})
    assert [dict(record) for record in found.records] == [dict(model.example)]
    assert found.scores == made.scores([model.features(found.records[0])])
    assert found.answers == made.answers(found.records)


def test_many_values_give_as_many_of_each(model: Model) -> None:
    """In order; none of nothing."""
    made = predictor(model)
    values = records(model, 9)
    found = made.many(values)
    assert [dict(record) for record in found.records] == values
    assert found.answers == [made.one(value).answers[0] for value in values]
    assert found.scores == pytest.approx([made.one(value).scores[0] for value in values])
    assert made.many([]) == ([], [], [])


def test_a_bad_value_is_told_as_the_reader_tells_it(model: Model) -> None:
    """The same errors, whichever way they come."""
    made = predictor(model)
    for ask, read, bad in (
        (made.one, made.reader.one, {}),
        (made.many, made.reader.many, [dict(model.example), {}, 5]),
    ):
        with pytest.raises(InvalidRecords) as got:
            ask(bad)
        with pytest.raises(InvalidRecords) as expected:
            read(bad)
        assert (got.value.detail, got.value.errors) == (
            expected.value.detail,
            expected.value.errors,
        )
