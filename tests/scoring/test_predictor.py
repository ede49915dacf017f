"""`Predictor`: records in, answers out."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from scoring.artifact.reading import load
from scoring.errors import InvalidRecords
from scoring.models import Model
from scoring.predictor import Predictor
from tests.scoring.predictors import MODELS, predictor
from tests.support import records, tiny_pair


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
    assert new["unseen"] == ["PU_DO=74_264"]
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


def test_a_threshold_of_the_manifest_is_used() -> None:
    """The model may say from which probability on a customer leaves."""
    model = MODELS["churn"]
    rows = [model.record.model_validate(row) for row in records(model, 50)]
    for threshold in (0.0, 0.3, 1.0):
        for answer in predictor(model, threshold=threshold).answers(rows):
            assert answer["churn"] is (answer["churn_probability"] >= threshold)


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
    cases: list[tuple[Callable[[Any], Any], Callable[[Any], Any], Any]] = [
        (made.one, made.reader.one, {}),
        (made.many, made.reader.many, [dict(model.example), {}, 5]),
    ]
    for ask, read, bad in cases:
        with pytest.raises(InvalidRecords) as got:
            ask(bad)
        with pytest.raises(InvalidRecords) as expected:
            read(bad)
        assert (got.value.detail, got.value.errors) == (
            expected.value.detail,
            expected.value.errors,
        )
