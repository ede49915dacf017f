"""What the validation of a downloaded version leaves in its folder."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import HuberRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from scoring.artifact.manifest import MANIFEST, NOT_PROVED
from scoring.artifact.reading import load
from scoring.errors import ArtifactError
from scoring.models import Model, Shares, discover
from scoring.registry.cache import VersionRef
from scoring.registry.validate import validate_version
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from tests.flowers import FLOWERS
from tests.support import records, tiny_pair, write_artifact
from tests.training.adoption.archives import OTHERS, archive, asked

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


@pytest.mark.slow
@pytest.mark.parametrize("version", OTHERS)
@pytest.mark.parametrize(
    ("name", "estimator"), [("ride", "forest"), ("churn", "logistic"), ("flowers", "hist")]
)
def test_what_another_scikit_learn_saved_is_read_as_data(
    version: str, name: str, estimator: str, tmp_path: Path
) -> None:
    """As `training.adopt` reads it; it answers as it did there, and the manifest says what nobody
    proved."""
    model, there = {**discover(), "flowers": FLOWERS}[name], archive(version)
    [case] = [one for one in there.of(name, estimator) if one.shape == "pair"]
    (tmp_path / "model.pkl").write_bytes(there.content[case.files[0]])
    digest = validate_version(model, tmp_path, origin(model))
    assert validate_version(model, tmp_path, origin(model)) == digest
    artifact = load(tmp_path, model)
    manifest = artifact.manifest
    assert NOT_PROVED in manifest.notes
    assert manifest.libraries["scikit-learn"].startswith(f"{version}.")
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, *manifest.files}
    found, _ = artifact.scorer.many(asked(name))
    got = [one.by_class if isinstance(one, Shares) else one for one in found]
    for one, wanted in zip(got, there.answers[name][estimator], strict=True):
        assert one == pytest.approx(wanted, rel=1e-6)


@pytest.mark.slow
def test_an_old_estimator_that_is_not_read_as_data_is_refused(tmp_path: Path) -> None:
    """With its class, the version that saved it and ours."""
    rows = [RIDE.features(RIDE.record.model_validate(row)) for row in records(RIDE)]
    vectorizer = tiny_pair(RIDE)[0]
    fitted = HuberRegressor(max_iter=10_000).fit(vectorizer.transform(rows), range(len(rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.5.2")
        (tmp_path / "model.pkl").write_bytes(pickle.dumps((vectorizer, fitted)))
    with pytest.raises(
        ArtifactError, match=r"1\.5\.2 and this is .* HuberRegressor has no compiled"
    ):
        validate_version(RIDE, tmp_path, origin(RIDE))


@pytest.mark.slow
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
