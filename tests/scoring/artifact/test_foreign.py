"""Versions that others logged: skops or pickle, a Pipeline or a pair, with or without our word."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from scoring.artifact.foreign import NO_MANIFEST, read
from scoring.artifact.pickles import loads
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.saved.containers import read_bytes
from scoring.saved.repickle import pair_bytes
from scoring.saved.shapes import choose
from tests.support import records, tiny_pair
from training.fit import estimators

RIDE = discover()["ride"]
DAY = datetime(2021, 11, 6, tzinfo=UTC)


def loads_skops(data: bytes) -> tuple[Any, frozenset[str]]:
    """Return the pair in a skops file, and the versions of scikit-learn that wrote it."""
    files = [read_bytes("model.skops", data)]
    return loads(pair_bytes(files, choose(files, None)))


def jobbed(value: Any, compress: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, compress=compress)
    return file.getvalue()


def pipeline(pair: tuple[Any, Any]) -> Pipeline:
    return Pipeline([("vectorizer", pair[0]), ("estimator", pair[1])])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("model.skops", lambda pair: skops.io.dumps(pipeline(pair))),
        ("model.skops", lambda pair: skops.io.dumps(pair)),
        ("model.pkl", lambda pair: pickle.dumps(pipeline(pair))),
        ("model.pkl", lambda pair: pickle.dumps(list(pair))),
        (None, lambda pair: pickle.dumps(pair)),
        (None, lambda pair: pickle.dumps((pair[1], pair[0], {"rmse": 1.5}))),
        ("model.pkl", lambda pair: pickle.dumps({"dv": pair[0], "model": pair[1]})),
        ("model.pkl", lambda pair: pickle.dumps(pair[0]) + pickle.dumps(pair[1])),
        ("model.pkl", lambda pair: jobbed(pair, 0)),
        ("model.pkl", lambda pair: jobbed(pipeline(pair), ("xz", 3))),
    ],
    ids=[
        "skops pipeline",
        "skops pair",
        "pickled pipeline",
        "pickled list",
        "our own file's name",
        "other way round",
        "dictionary",
        "two pickles",
        "joblib",
        "compressed joblib",
    ],
)
def test_what_others_logged_is_read(
    model: Model, tmp_path: Path, name: str | None, save: Callable[[Any], bytes]
) -> None:
    """It answers as the pair does, under the registry's number, with a manifest of its own."""
    pair = tiny_pair(model)
    (tmp_path / (name or model.artifact_file)).write_bytes(save(pair))
    predictor = Predictor(model, read(tmp_path, model, version="7", created=DAY))
    assert predictor.version == "7"
    assert NO_MANIFEST in predictor.manifest.notes
    rows = [model.features(model.record.model_validate(row)) for row in records(model, 5)]
    x = pair[0].transform(rows)
    expected = (
        pair[1].predict_proba(x)[:, 1] if model.task == "classification" else pair[1].predict(x)
    )
    assert predictor.scores(rows) == pytest.approx(list(expected))


def test_of_several_models_none_is_guessed(tmp_path: Path) -> None:
    """A version is one model: the names are told."""
    vectorizer, one = tiny_pair(RIDE)
    other = LinearRegression().fit([[0.0]], [0.0])
    held = {"dv": vectorizer, "a": one, "b": other}
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(held))
    with pytest.raises(ArtifactError, match="there are 2 models: log one of them: a .*, b "):
        read(tmp_path, RIDE, version="7", created=DAY)


def test_what_others_logged_claims_nothing_that_is_not_known(tmp_path: Path) -> None:
    """Neither our Python nor a day of training; the day in the manifest is that of the version."""
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(tiny_pair(RIDE)))
    manifest = read(tmp_path, RIDE, version="7", created=DAY).manifest
    assert (manifest.python, manifest.trained, manifest.created) == ("unknown", None, DAY)


def test_a_pipeline_with_steps_between_is_read(tmp_path: Path) -> None:
    """What follows the vectorizer stays one estimator."""
    rows = [RIDE.features(RIDE.record.model_validate(row)) for row in records(RIDE)]
    steps = [("v", tiny_pair(RIDE)[0]), ("scale", MaxAbsScaler()), ("fit", LinearRegression())]
    fitted = Pipeline(steps).fit(rows, range(len(rows)))
    (tmp_path / "model.skops").write_bytes(skops.io.dumps(fitted))
    predictor = Predictor(RIDE, read(tmp_path, RIDE, version="7", created=DAY))
    assert predictor.scores(rows) == pytest.approx(list(fitted.predict(rows)))
    assert predictor.manifest.estimator == "LinearRegression"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forest", "boosting"])
def test_trees_in_skops_need_no_trust_of_the_files_own(model: Model, name: str) -> None:
    """The classes that skops itself would not load are on the service's list."""
    fresh = estimators.make(model.task, name, {}, 1)
    pair = tiny_pair(model, fresh)
    found, versions = loads_skops(skops.io.dumps(pipeline(pair)))
    assert type(found[1]) is type(pair[1])
    assert versions == frozenset()


def _schema(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A skops file of a tiny pipeline with its schema changed."""
    data = skops.io.dumps(pipeline(tiny_pair(RIDE)))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            new.writestr(entry, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: skops.io.dumps(FunctionTransformer(print)), r"builtins\.print"),
        (lambda: skops.io.dumps(Path.cwd), "MethodNode|names"),
        (lambda: _schema(lambda s: s.update(__module__="os", __class__="system")), r"os\.system"),
        (lambda: _schema(lambda s: s.update(__loader__="MethodNode")), "MethodNode"),
        (lambda: b"no zip at all", "cannot be read"),
        (lambda: skops.io.dumps(LinearRegression())[:-40], "cannot be read"),
    ],
    ids=["a function", "a method", "a foreign class", "a foreign node", "no zip", "truncated"],
)
def test_a_skops_file_that_names_more_is_refused(data: Callable[[], bytes], reason: str) -> None:
    """Nothing of it is made before every name in it was found on the list."""
    with pytest.raises(ArtifactError, match=reason):
        loads_skops(data())


def test_a_skops_file_of_another_scikit_learn_is_refused() -> None:
    """Its estimators may load and then predict wrongly."""

    def older(schema: dict[str, Any]) -> None:
        text = json.dumps(schema).replace('\\"1.9.1\\"', '\\"1.2.2\\"')
        schema.clear()
        schema.update(json.loads(text))

    with pytest.raises(ArtifactError, match=r"written by scikit-learn 1\.2\.2"):
        loads_skops(_schema(older))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: Pipeline([("fit", LinearRegression())]), "holds no pair"),
        (lambda: LinearRegression(), "holds no pair"),
        (lambda: tiny_pair(discover()["churn"]), "other features"),
    ],
    ids=["no vectorizer", "an estimator alone", "another model's"],
)
def test_what_cannot_answer_is_refused(
    made: Callable[[], Any], reason: str, tmp_path: Path
) -> None:
    """A model that takes other things than our features is not served."""
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(made()))
    with pytest.raises(ArtifactError, match=reason):
        read(tmp_path, RIDE, version="7", created=DAY)


def test_an_empty_version_is_refused(tmp_path: Path) -> None:
    """It holds nothing that can be read."""
    with pytest.raises(ArtifactError, match=r"no manifest\.json, model\.skops or model\.pkl"):
        read(tmp_path, RIDE, version="7", created=DAY)
