"""Trees over numbers that stand for categories: as scikit-learn has them, to the bit."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.preprocessing import FunctionTransformer

from batch.columns.score import TableScorer
from scoring.artifact.pickles import loads
from scoring.compiler import steps
from scoring.compiler.compile import NotCompiled, compile_pair
from scoring.engine import predict
from scoring.errors import ArtifactError
from scoring.explain import explained
from scoring.limits import Limits
from scoring.models import Features, discover
from scoring.predictor import Predictor
from scoring.scorers import leafsets, means
from scoring.scorers.means import Means
from scoring.scorers.sklearn import SklearnScorer
from tests.support import write_pair
from training.fit import estimators
from training.fit.features import features
from training.fit.pair import fit, score

RIDE = discover()["ride"]
WHOLE = RIDE.whole()


def rides(rows: int, seed: int = 1) -> pd.DataFrame:
    """Return made-up rides between zones, some of which are seen once."""
    random = np.random.default_rng(seed)
    zones = random.geometric(0.08, (2, rows)).clip(1, 265)
    miles = random.exponential(4, rows).round(2)
    minutes = 3 + 2.5 * miles + zones[0] % 7 + zones.sum(axis=0) % 5 + random.normal(0, 2, rows)
    return pd.DataFrame(
        {
            "PULocationID": zones[0],
            "DOLocationID": zones[1],
            "trip_distance": miles,
            "duration": minutes.clip(1, 60),
        }
    )


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """A pair, fitted as a training fits it."""
    estimator = estimators.make("regression", "means", {"max_iter": 20}, 1)
    vectorizer = DictVectorizer()
    fit(vectorizer, estimator, rides(2000), rides(100, 2), WHOLE)
    return vectorizer, estimator


@pytest.fixture(scope="module")
def own(pair: tuple[Any, Any]) -> SklearnScorer:
    return SklearnScorer(pair, RIDE)


@pytest.fixture(scope="module")
def made(own: SklearnScorer) -> bytes:
    file = compile_pair(own)
    assert (file.kind, file.name) == ("means", "scorer.means")
    return file.data


def unknown() -> list[Features]:
    """Return rides of a new pair of known zones, of a new zone, and of nothing but zones."""
    known: dict[str, str | float] = {
        "trip_distance": 3.0,
        "PULocationID": "1",
        "DOLocationID": "2",
        "PU_DO": "1_999",
    }
    return [known, {**known, "DOLocationID": "999"}, {"PULocationID": "999", "PU_DO": "999_1"}]


@pytest.mark.slow
def test_it_scores_as_the_pair_does(own: SklearnScorer, made: bytes) -> None:
    """Alone and among others, of what training saw and of what it did not, which it names."""
    rows = [*features(rides(400, 3), WHOLE), *unknown()]
    scorer = means.read(made)
    expected, missing = own.many(rows)
    scores, unseen = scorer.many(rows)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    assert {place: list(names) for place, names in unseen.items()} == missing
    assert [*unseen[len(rows) - 3]] == ["PU_DO=1_999"]
    for place, row in enumerate(rows):
        alone, names = scorer.one(row)
        assert alone == scores[place]
        assert [*names] == missing.get(place, [])


@pytest.mark.slow
def test_what_is_remembered_of_values_changes_no_score(
    own: SklearnScorer, made: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first time nor the second, of one block of trees or several, where a number that
    no tree asks for comes, where memory is for one set, or where trees are walked."""
    rows = [*features(rides(200, 3), WHOLE), *unknown()]
    rows += [
        dict(reversed([*rows[0].items()])),
        {**rows[0], "PU_DO": 7.0},
        {**rows[0], "more": "1"},
    ]
    expected = [means.read(made).trees.score_of(x) for x in encoded(made, rows)]
    np.testing.assert_allclose(expected[:200], own.many(rows[:200])[0], rtol=1e-12)
    monkeypatch.setattr(leafsets, "_BLOCK", 3)
    several = means.read(made)
    monkeypatch.setattr(means, "_REMEMBERED", 1)
    forgetful = means.read(made)
    monkeypatch.setattr(leafsets, "_MAX_BYTES", 1)
    walked = means.read(made)
    assert walked.trees.leaf_sets is None
    for scorer in (means.read(made), several, forgetful, walked):
        for _ in range(2):
            assert [scorer.one(row)[0] for row in rows] == expected


@pytest.mark.slow
def test_common_categories_have_their_scores_in_the_file(
    own: SklearnScorer, made: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every number, at each threshold and beside it, the same bits as the trees' sum; as many
    of them as the memory is for, and what else is asked is scored as before."""
    rows = features(rides(200, 3), WHOLE)
    data = compile_pair(own, often=[*rows, *rows, *unknown()]).data
    plain, stepped = means.read(made), means.read(data)
    assert stepped.header.often is not None
    asked = {tuple(str(row[name]) for name in plain.header.categories) for row in rows}
    known = [*map(tuple, stepped.header.often.values)]
    assert set(known) < asked
    assert len(set(known)) == len(known)
    thresholds = stepped.trees.thresholds("trip_distance")
    beside = [math.nextafter(value, math.inf) for value in thresholds]
    numbers = [-math.inf, *thresholds, *beside, math.inf, math.nan, 3, True]
    for row in [*rows[:40], *unknown()]:
        for number in numbers:
            for given in ({**row, "trip_distance": number}, {"trip_distance": number, **row}):
                assert stepped.one(given) == plain.one(given)
    for odd in ({**rows[0], "PU_DO": 7.0}, {**rows[0], "more": "1"}, {**rows[0], "more": 1.0},
                {**rows[0], "trip_distance": "3"}):  # fmt: skip
        assert stepped.one(odd) == plain.one(odd)
    monkeypatch.setattr(steps, "_CELLS", 1)
    assert compile_pair(own, often=rows + rows).data == compile_pair(own, often=rows).data
    monkeypatch.setattr(steps, "_MAX_BYTES", 1500)
    fewer = means.read(compile_pair(own, often=rows).data).header.often
    assert fewer is not None
    assert 0 < len(fewer.values) < len(known)
    assert fewer.values == stepped.header.often.values[: len(fewer.values)]
    monkeypatch.setattr(steps, "_MAX_BYTES", 1)
    assert compile_pair(own, often=rows).data == made
    monkeypatch.setattr(steps, "_MAX_THRESHOLDS", 1)
    assert compile_pair(own, often=rows).data == made


def encoded(made: bytes, rows: list[Features]) -> list[list[float]]:
    """Return the rows as the trees' numbers, in the order of the file's first line."""
    scorer = means.read(made)
    numbers, categories = scorer.trees.header.numbers, scorer.header.categories
    found = []
    for row in rows:
        of = {name: float(row[name]) for name in numbers if name in row}
        for name, category in categories.items():
            known = category.values.get(str(row.get(name)), category.unseen)
            of |= dict(zip(category.numbers, known, strict=True))
        found.append([of.get(name, 0.0) for name in numbers])
    return found


@pytest.mark.slow
def test_a_pickle_of_it_is_read_by_the_allow_list(pair: tuple[Any, Any], tmp_path: Path) -> None:
    """And its artifact is served without scikit-learn, explained, and scored without an error."""
    manifest = write_pair(tmp_path, RIDE, pair)
    assert manifest.compiled is not None
    assert manifest.compiled.kind == "means"
    data = (tmp_path / "ride" / "lin_reg.bin").read_bytes()
    found: Any = loads(data, other_version=False)[0]
    frame = rides(20, 4)
    predictor = Predictor.from_folder(tmp_path / "ride", RIDE)
    assert isinstance(predictor.scorer, Means)
    expected = score(found[0], found[1], frame, RIDE)
    scored = predictor.many(frame.drop(columns="duration").to_dict("records"))
    np.testing.assert_allclose(scored.scores, expected, rtol=1e-12)
    [answer] = explained(predictor, scored.records[:1])
    assert answer["explanation"]["method"] == "none"  # without a profile
    body = json.dumps({"PULocationID": 265, "DOLocationID": 264, "trip_distance": 1.0}).encode()
    told = predict(predictor, body, limits=Limits())
    assert told["unseen"] == ["PULocationID=265", "DOLocationID=264", "PU_DO=265_264"]


def test_other_steps_have_no_compiled_form(pair: tuple[Any, Any]) -> None:
    """They are served by scikit-learn, which training says."""
    vectorizer, estimator = pair
    named = dict(estimator.steps)
    for other_steps in (
        [("codes", FunctionTransformer(np.abs)), *estimator.steps[1:]],
        [estimator.steps[0], ("more", FunctionTransformer()), *estimator.steps[1:]],
    ):
        other = type(estimator)(other_steps)
        own = SklearnScorer((vectorizer, other), RIDE)
        with pytest.raises(NotCompiled, match="a TargetEncoder"):
            compile_pair(own)
    mixed = FunctionTransformer(named["codes"].func, accept_sparse=True)
    matrix = named["codes"].kw_args["b"].copy()
    matrix[:, 0] += 1
    mixed.set_params(kw_args={"b": matrix})
    other = type(estimator)([("codes", mixed), *estimator.steps[1:]])
    with pytest.raises(NotCompiled, match="mixes features"):
        compile_pair(SklearnScorer((vectorizer, other), RIDE))


def test_a_damaged_file_is_refused(own: SklearnScorer, made: bytes) -> None:
    """Whatever is wrong with its first line, with the trees behind it, or with its steps."""
    line, _, rest = made.partition(b"\n")
    whole = json.loads(line)
    category = whole["categories"]["PU_DO"]
    damaged = [
        {**whole, "format": 2},
        {**whole, "more": 1},
        {**whole, "categories": {"PU_DO": {**category, "unseen": [0.0]}}},
        {**whole, "categories": {"PU_DO": {**category, "numbers": ["a", "b", "c"]}}},
        {**whole, "categories": {"A": category, "B": category}},
    ]
    for header in damaged:
        with pytest.raises(ArtifactError, match=r"scorer\.means cannot be used"):
            means.read(json.dumps(header).encode() + b"\n" + rest)
    with pytest.raises(ArtifactError, match=r"scorer\.trees cannot be used"):
        means.read(line + b"\n" + rest[:-8])
    data = compile_pair(own, often=features(rides(50, 3), WHOLE)).data
    line, _, rest = data.partition(b"\n")
    whole = json.loads(line)
    often = whole["often"]
    counts = often["counts"]
    damaged = [
        {**whole, "format": 1},
        {**whole, "often": {**often, "number": "PU_DO 0"}},
        {**whole, "often": {**often, "values": [["1_1"], *often["values"][1:]]}},
        {**whole, "often": {**often, "values": often["values"][1:]}},
        {**whole, "often": {**often, "counts": [counts[0] + 1, counts[1] - 1, *counts[2:]]}},
        {**whole, "often": {**often, "counts": [0, counts[0] + counts[1], *counts[2:]]}},
    ]
    for header in damaged:
        with pytest.raises(ArtifactError, match=r"scorer\.means cannot be used"):
            means.read(json.dumps(header).encode() + b"\n" + rest)
    with pytest.raises(ArtifactError, match="steps are damaged"):
        means.read(line + b"\n" + b"\xff" * 4 + rest[4:])


@pytest.mark.slow
def test_a_model_without_numbers_or_categories_has_them_too() -> None:
    """Each feature is one or the other; a model has what it has."""
    random = np.random.default_rng(5)
    y = random.normal(10, 3, 500)
    for rows in (
        [{"a": str(n % 7), "b": str(n % 3)} for n in range(500)],
        [{"a": float(n % 7), "b": float(n % 3)} for n in range(500)],
    ):
        from training.fit.means import tell_columns

        vectorizer = DictVectorizer()
        x = vectorizer.fit_transform(rows)
        estimator = estimators.make("regression", "means", {"max_iter": 3}, 1)
        tell_columns(estimator, vectorizer, x)
        assert np.isfinite(estimator.fit(x, y).predict(x)).all()
        plain = HistGradientBoostingRegressor()
        tell_columns(plain, vectorizer, x)
        assert plain.get_params() == HistGradientBoostingRegressor().get_params()


@pytest.mark.slow
def test_a_table_is_scored_as_its_rows_are(pair: tuple[Any, Any], tmp_path: Path) -> None:
    """By columns, with the zones and the pairs that training never saw."""
    write_pair(tmp_path, RIDE, pair)
    predictor = Predictor.from_folder(tmp_path / "ride", RIDE)
    frame = rides(500, 6).drop(columns="duration")
    scorer = TableScorer(predictor)
    assert scorer.vectorised
    columns = {str(name): pa.array(frame[name]) for name in frame}
    answered = scorer.score(columns, len(frame))
    expected = predictor.many(frame.to_dict("records"))
    assert answered.scores.tolist() == expected.scores
    unseen = [answer.get("unseen", []) for answer in expected.answers]
    assert answered.unseen.to_pylist() == unseen
    assert any(unseen)
