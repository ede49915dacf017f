"""What the validation of a downloaded version leaves in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from scoring.artifact.manifest import MANIFEST
from scoring.artifact.reading import load
from scoring.models import Model, discover
from scoring.registry.cache import VersionRef
from scoring.registry.validate import validate_version
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from tests.support import records, tiny_pair, write_artifact

RIDE = discover()["ride"]


def origin(model: Model) -> VersionRef:
    return VersionRef(number="7", created=1_636_122_330_000, source="", model=model.registered_name)


def pipeline(pair: tuple[Any, Any]) -> Pipeline:
    return Pipeline([("vectorizer", pair[0]), ("estimator", pair[1])])


def test_a_proven_version_holds_three_files_under_the_manifests_digest(tmp_path: Path) -> None:
    """What else came along is gone, and the same version has the same digest."""
    write_artifact(RIDE, tmp_path)
    folder = tmp_path / "ride"
    (folder / "MLmodel").write_text("flavors: {}")
    digest = validate_version(RIDE, folder, origin(RIDE))
    assert {path.name for path in folder.iterdir()} == {
        MANIFEST,
        RIDE.artifact_file,
        "scorer.json",
    }
    assert validate_version(RIDE, folder, origin(RIDE)) == digest


def test_a_version_that_others_logged_is_compiled_where_it_is_proved(
    model: Model, tmp_path: Path
) -> None:
    """From then on it is data: the workers read it without scikit-learn."""
    pair = tiny_pair(model)
    (tmp_path / "model.skops").write_bytes(skops.io.dumps(pipeline(pair)))
    validate_version(model, tmp_path, origin(model))
    artifact = load(tmp_path, model)
    assert isinstance(artifact.scorer, Linear)
    rows = [model.features(model.record.model_validate(row)) for row in records(model, 9)]
    assert artifact.scorer.many(rows)[0] == pytest.approx(SklearnScorer(pair, model).many(rows)[0])


def test_a_version_without_a_compiled_form_is_proved_as_it_is(tmp_path: Path) -> None:
    """What cannot be compiled is served by scikit-learn."""
    rows = [RIDE.features(RIDE.record.model_validate(row)) for row in records(RIDE)]
    forest = RandomForestRegressor(3, random_state=1)
    steps = [("v", tiny_pair(RIDE)[0]), ("scale", MaxAbsScaler()), ("fit", forest)]
    fitted = Pipeline(steps).fit(rows, range(len(rows)))
    (tmp_path / "model.skops").write_bytes(skops.io.dumps(fitted))
    validate_version(RIDE, tmp_path, origin(RIDE))
    assert isinstance(load(tmp_path, RIDE).scorer, SklearnScorer)
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, RIDE.artifact_file}
