"""From a fitted pair to a folder: what is in it, and what is not written."""

from __future__ import annotations

import hashlib
import json
import pickle
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn
from sklearn.linear_model import HuberRegressor
from sklearn.pipeline import make_pipeline

from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from tests.support import records, tiny_pair, write_artifact, write_pair

RIDE = discover()["ride"]
FOLDER = "ride"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_holds_the_pair_and_its_manifest(model: Model, tmp_path: Path) -> None:
    """Under the model's file name, with its digest, the version made of it, and what made it."""
    manifest = write_artifact(model, tmp_path, seed=7, notes=["a note"])
    folder = tmp_path / model.name
    assert names(folder) == sorted([model.artifact_file, MANIFEST, "scorer.json"])
    digest = hashlib.sha256((folder / model.artifact_file).read_bytes()).hexdigest()
    assert (manifest.sha256, manifest.version) == (digest, digest[:12])
    assert (manifest.model, manifest.file) == (model.name, model.artifact_file)
    assert manifest.python == platform.python_version()
    assert manifest.libraries["scikit-learn"] == sklearn.__version__
    assert manifest.feature_names == list(tiny_pair(model)[0].feature_names_)
    assert (manifest.seed, manifest.notes) == (7, ["a note"])
    assert Manifest.model_validate_json((folder / MANIFEST).read_text()) == manifest


@pytest.mark.slow
def test_the_manifest_names_the_estimator_and_its_parameters(tmp_path: Path) -> None:
    """Of a pipeline, its last step's class."""
    assert write_artifact(RIDE, tmp_path).estimator == "LinearRegression"
    assert write_artifact(RIDE, tmp_path).parameters["fit_intercept"] is True
    vectorizer, estimator = tiny_pair(RIDE)
    piped = make_pipeline(estimator)
    written = write_pair(tmp_path, RIDE, (vectorizer, piped))
    assert written.estimator == "LinearRegression"


@pytest.mark.slow
def test_the_pair_answers_its_golden_records_once_it_is_loaded(
    model: Model, tmp_path: Path
) -> None:
    """The service proves the model by them; what was unseen is no part of the answer."""
    manifest = write_artifact(model, tmp_path)
    predictor = Predictor.from_folder(tmp_path / model.name, model)
    assert [golden.record for golden in manifest.golden] == records(model, 4)
    for golden in manifest.golden:
        [answer] = predictor.answers([predictor.reader.one(golden.record)])
        answer.pop("unseen", None)
        assert answer == pytest.approx(golden.answer)


def test_a_golden_record_of_an_unseen_category_is_kept_without_saying_so(tmp_path: Path) -> None:
    """Its answer is a number like any other."""
    manifest = write_artifact(RIDE, tmp_path, golden=[{**RIDE.example, "DOLocationID": 265}])
    assert list(manifest.golden[0].answer) == ["duration"]


@pytest.mark.slow
def test_a_pair_of_other_features_is_not_written(tmp_path: Path) -> None:
    """It could not be loaded."""
    vectorizer, estimator = tiny_pair(RIDE)
    names_made = vectorizer.get_feature_names_out()
    vectorizer.feature_names_ = [name.replace("PU_DO", "zones") for name in names_made]
    with pytest.raises(ArtifactError, match="the pair was fitted on other features"):
        write_pair(tmp_path, RIDE, (vectorizer, estimator))
    assert names(tmp_path) == []


@pytest.mark.slow
def test_the_same_pair_has_the_same_digest(model: Model, tmp_path: Path) -> None:
    """Neither the day it was made changes the version nor that it was written before."""
    pair = tiny_pair(model)
    digests = [write_pair(tmp_path / name, model, pair).sha256 for name in ("one", "two")]
    assert write_artifact(model, tmp_path / "three").sha256 == digests[0] == digests[1]


def test_bytes_that_exist_already_are_kept(tmp_path: Path) -> None:
    """A pair that was taken in stays the very file that it was."""
    pair = tiny_pair(RIDE)
    made = pickle.dumps(pair, protocol=2)
    manifest = write_pair(tmp_path, RIDE, pair, pickled=made)
    assert (tmp_path / FOLDER / RIDE.artifact_file).read_bytes() == made
    assert manifest.sha256 == hashlib.sha256(made).hexdigest()


def test_what_the_service_would_not_load_is_not_written(tmp_path: Path) -> None:
    """A class that is not on its allow-list, here of a scikit-learn estimator like any other."""
    vectorizer, estimator = tiny_pair(RIDE)
    foreign = HuberRegressor()
    foreign.coef_, foreign.intercept_ = estimator.coef_, estimator.intercept_
    with pytest.raises(ArtifactError, match=r"_huber.HuberRegressor.* allow-list"):
        write_pair(tmp_path, RIDE, (vectorizer, foreign))
    assert names(tmp_path) == []


def test_any_user_may_read_what_was_written(tmp_path: Path) -> None:
    """The service is another user than the one who trained."""
    write_artifact(RIDE, tmp_path)
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o755


@pytest.mark.slow
@pytest.mark.parametrize("model_name", ["ride", "churn"])
def test_two_lines_of_plain_pickle_load_the_pair(
    model_name: str, models_dir: Path, tmp_path: Path
) -> None:
    """Without this project: scikit-learn is all that they need."""
    folder = models_dir / model_name
    manifest = json.loads((folder / MANIFEST).read_text())
    script = (
        "import pickle, sys\n"
        "vectorizer, estimator = pickle.load(open(sys.argv[1], 'rb'))\n"
        "assert not {'scoring', 'training'} & {name.partition('.')[0] for name in sys.modules}\n"
        "print(estimator.predict(vectorizer.transform([eval(sys.argv[2])]))[0])\n"
    )
    golden = manifest["golden"][1]
    features = golden["record"]
    if model_name == "ride":
        features = {
            "PU_DO": f"{features['PULocationID']}_{features['DOLocationID']}",
            "trip_distance": features["trip_distance"],
        }
    command = [sys.executable, "-I", "-W", "ignore::ResourceWarning", "-c", script]
    done = subprocess.run(
        [*command, folder / manifest["file"], repr(features)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    answer = golden["answer"]
    expected = answer["duration"] if model_name == "ride" else float(answer["churn"])
    assert max(float(done.stdout), 0) == pytest.approx(expected)
