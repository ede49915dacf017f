"""A pair that was pickled elsewhere is taken in by one command, and then served."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sklearn
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from scoring.artifact.manifest import MANIFEST, NOT_PROVED, OTHER_VERSION
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from serving.app import create_app
from serving.settings import Settings
from tests.support import ROOT, environment, tiny_pair, write_artifact
from training.adopt import main
from training.sources import source_of

MODELS = discover()
MAJOR, MINOR, PATCH = sklearn.__version__.split(".")[:3]
OTHER_MINOR = f"{MAJOR}.{int(MINOR) - 1}.{PATCH}"
OTHER_PATCH = f"{MAJOR}.{MINOR}.{int(PATCH) + 1}"


@pytest.fixture
def pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that writes a file as a tutorial's script would have."""

    def write(pair: object, protocol: int = 4, version: str = sklearn.__version__) -> Path:
        path = tmp_path / "lin_reg.bin"
        with monkeypatch.context() as patch, path.open("wb") as file:
            patch.setattr("sklearn.base.__version__", version)
            pickle.dump(pair, file, protocol)
        return path

    return write


def refusal(model: str, path: Path, output: Path, *more: str) -> str:
    """Return the one line with which the command refuses a file; nothing is written."""
    before = sorted(output.rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main([model, str(path), "--output", str(output), *more])
    line = caught.value.code
    assert isinstance(line, str), "the command did not say what is wrong"
    assert line.startswith("training.adopt: ")
    assert len(line.splitlines()) == 1
    assert sorted(output.rglob("*")) == before
    return line


def manifest(output: Path, model: Model) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / model.name / MANIFEST).read_text())
    return found


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_tutorials_pair_is_taken_in_and_served(
    tmp_path: Path, pickled: Any, model: Model, protocol: int
) -> None:
    """The bare pickle, by whatever protocol, becomes an artifact that answers as the pair does."""
    vectorizer, estimator = tiny_pair(model)
    path = pickled((vectorizer, estimator), protocol)
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    settings = Settings(models_dir=tmp_path / "models", models=(model.name,))
    answer = (
        create_app(settings).test_client().post("/predict", json=dict(model.example)).get_json()
    )
    x = vectorizer.transform(model.features(model.record.model_validate(model.example)))
    if model.task == "regression":
        score = estimator.predict(x)[0]
    else:
        score = estimator.predict_proba(x)[0, 1]
    expected = model.answer(score, model.threshold)
    assert {name: answer[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_the_bytes_are_those_that_were_given(
    tmp_path: Path, pickled: Any, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digest and version are those of the given file, not of a new pickle of the same pair."""
    path = pickled(tiny_pair(model), 2)
    data = path.read_bytes()
    assert data != pickle.dumps(tiny_pair(model), 5)
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    found = manifest(tmp_path / "models", model)
    assert (tmp_path / "models" / model.name / model.artifact_file).read_bytes() == data
    assert found["sha256"] == hashlib.sha256(data).hexdigest()
    assert found["version"] == found["sha256"][:12]
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"wrote {tmp_path / 'models' / model.name}: version {found['version']}"
    ]


def test_the_manifest_says_where_the_pair_is_from(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """What is known is told: the file, the estimator, one golden record; no data, no metrics."""
    path = pickled(tiny_pair(model))
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    found = manifest(tmp_path / "models", model)
    assert found["notes"] == ["taken in from lin_reg.bin, trained elsewhere"]
    assert found["model"] == model.name
    assert found["estimator"] == type(tiny_pair(model)[1]).__name__
    assert [golden["record"] for golden in found["golden"]] == [dict(model.example)]
    assert found["data"] == found["metrics"] == {}
    assert found["threshold"] == model.threshold


def test_the_day_of_adoption_is_not_shown_as_that_of_training(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """The day of training is unknown: in the catalogue, on the card and on the page."""
    main([model.name, str(pickled(tiny_pair(model))), "--output", str(tmp_path / "models")])
    settings = Settings(models_dir=tmp_path / "models", models=(model.name,))
    client = create_app(settings).test_client()
    assert client.get(f"/models/{model.name}").get_json()["trained"] is None
    for path in ("/", f"/models/{model.name}/card"):
        html = client.get(path, headers={"Accept": "text/html"}).text
        assert "<dt>Trained</dt><dd>unknown; taken in on <time" in html
        assert "Python unknown" not in html


def test_the_known_share_of_categories_is_said(
    tmp_path: Path, pickled: Any, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the example and of rows of the bundled sample."""
    main([model.name, str(pickled(tiny_pair(model))), "--output", str(tmp_path / "models")])
    line = capsys.readouterr().out.splitlines()[0]
    of = r"in \d{4,} records \(the example and the sample\)"
    if source_of(model).sample is None:
        of = r"in 1 record \(the example\)"
    assert re.fullmatch(rf"it knows \d+(\.\d+)? % of the categories {of}", line)


def test_a_pair_that_knows_no_category_is_refused(tmp_path: Path, pickled: Any) -> None:
    """Here zones with leading zeros: each looks like a pair of zones, none is ever made."""
    vectorizer, estimator = tiny_pair(MODELS["ride"])
    spelt = [re.sub(r"\d+", lambda n: n[0].zfill(4), c) if "=" in c else c
             for c in vectorizer.feature_names_]  # fmt: skip
    vectorizer.feature_names_ = spelt
    vectorizer.vocabulary_ = {name: place for place, name in enumerate(spelt)}
    line = refusal("ride", pickled((vectorizer, estimator)), tmp_path / "models")
    assert "none of the categories of 'PU_DO'" in line
    assert "the pair knows 'PU_DO=0" in line
    assert "the code makes 'PU_DO=10_50'" in line


@pytest.mark.parametrize("name", ["model.pkl", "model.skops"])
def test_a_pipeline_is_taken_in_as_the_registry_takes_it(
    tmp_path: Path, model: Model, name: str
) -> None:
    """A pickle or a skops file; what is written is the pair of its parts."""
    vectorizer, estimator = tiny_pair(model)
    made = Pipeline([("vectorizer", vectorizer), ("estimator", estimator)])
    data = pickle.dumps(made) if name == "model.pkl" else skops.io.dumps(made)
    (tmp_path / name).write_bytes(data)
    main([model.name, str(tmp_path / name), "--output", str(tmp_path / "models")])
    assert Predictor.from_folder(tmp_path / "models" / model.name, model).manifest.compiled
    with (tmp_path / "models" / model.name / model.artifact_file).open("rb") as file:
        assert isinstance(pickle.load(file), tuple)


def test_another_minor_version_is_read_as_data(tmp_path: Path, pickled: Any, model: Model) -> None:
    """The weights mean the same in each version, so no option is needed; the manifest tells."""
    path = pickled(tiny_pair(model), 4, OTHER_MINOR)
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    assert manifest(tmp_path / "models", model)["notes"] == [
        "taken in from lin_reg.bin, trained elsewhere",
        NOT_PROVED,
        f"saved by scikit-learn {OTHER_MINOR}, read as data",
    ]


def test_another_version_that_is_accepted_is_noted(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """--other-version takes it in, the manifest says so, and the service then loads it."""
    path = pickled(tiny_pair(model), 4, OTHER_MINOR)
    main([model.name, str(path), "--output", str(tmp_path / "models"), "--other-version"])
    assert manifest(tmp_path / "models", model)["notes"] == [
        "taken in from lin_reg.bin, trained elsewhere",
        OTHER_VERSION,
        f"pickled by scikit-learn {OTHER_MINOR}",
    ]
    app = create_app(Settings(models_dir=tmp_path / "models", models=(model.name,)))
    told = app.test_client().get(f"/models/{model.name}").get_json()
    assert OTHER_VERSION in told["notes"]


def test_the_option_notes_nothing_where_the_version_is_ours(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """--other-version given without need leaves no mark, and no hole."""
    path = pickled(tiny_pair(model))
    main([model.name, str(path), "--output", str(tmp_path / "models"), "--other-version"])
    assert len(manifest(tmp_path / "models", model)["notes"]) == 1


def test_another_patch_version_needs_no_option(tmp_path: Path, pickled: Any, model: Model) -> None:
    """A difference in the last number is taken in, and told."""
    path = pickled(tiny_pair(model), 4, OTHER_PATCH)
    main([model.name, str(path), "--output", str(tmp_path / "models")])
    notes = manifest(tmp_path / "models", model)["notes"]
    assert f"pickled by scikit-learn {OTHER_PATCH}" in notes


def test_a_pair_of_other_features_is_refused(tmp_path: Path, pickled: Any) -> None:
    """The ride's pair is refused for churn, and the other way round."""
    ride, churn = (tiny_pair(MODELS[name]) for name in ("ride", "churn"))
    line = refusal("ride", pickled((churn[0], LinearRegression())), tmp_path / "models")
    assert "fitted on other features than 'ride' makes" in line
    line = refusal("churn", pickled((ride[0], churn[1])), tmp_path / "models")
    assert "features" in line


def test_a_hostile_pickle_is_refused_before_it_runs(tmp_path: Path, pickled: Any) -> None:
    """os.system is named, and not called."""

    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch '{tmp_path / 'canary'}'",)

    line = refusal("ride", pickled((*tiny_pair(MODELS["ride"]), Hostile())), tmp_path / "models")
    assert "'posix.system', which is not on the service's allow-list" in line
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text", "no pair (DictVectorizer, estimator)"),
        ([1, 2], "no pair (DictVectorizer, estimator)"),
        (LinearRegression(), "no pair (DictVectorizer, estimator)"),
        ((1, 2, 3), "no pair (DictVectorizer, estimator)"),
    ],
    ids=["text", "list", "estimator alone", "three"],
)
def test_what_is_no_pair_is_refused(
    tmp_path: Path, pickled: Any, value: object, words: str
) -> None:
    """Only the pair can be taken in."""
    assert words in refusal("ride", pickled(value), tmp_path / "models")


def test_an_unfitted_estimator_is_refused(tmp_path: Path, pickled: Any, model: Model) -> None:
    """A pair that cannot answer the example is not taken in, and says so in one line."""
    vectorizer, estimator = tiny_pair(model)
    refusal(model.name, pickled((vectorizer, type(estimator)())), tmp_path / "models")


def test_a_damaged_pickle_is_refused(tmp_path: Path, pickled: Any, model: Model) -> None:
    """A download that broke off."""
    path = pickled(tiny_pair(model))
    path.write_bytes(path.read_bytes()[:-30])
    assert "the pickle cannot be read" in refusal(model.name, path, tmp_path / "models")


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    """Its path, and what it is."""
    path = tmp_path / "lin_reg.bin"
    if kind == "folder":
        path.mkdir()
    words = {
        "missing": f"{path} cannot be read: No such file or directory",
        "folder": f"{path} is a folder without MLmodel or manifest.json",
    }[kind]
    assert words in refusal("ride", path, tmp_path / "models")


def test_a_threshold_can_be_given(tmp_path: Path, pickled: Any) -> None:
    """--threshold is kept in the manifest and decides `churn`."""
    model = MODELS["churn"]
    path = pickled(tiny_pair(model))
    for threshold in ("0", "1"):
        main(["churn", str(path), "--output", str(tmp_path / "models"), "--threshold", threshold])
        assert manifest(tmp_path / "models", model)["threshold"] == float(threshold)
        app = create_app(Settings(models_dir=tmp_path / "models", models=("churn",)))
        answer = app.test_client().post("/predict", json=dict(model.example)).get_json()
        assert answer["churn"] is (threshold == "0")


@pytest.mark.parametrize("threshold", ["nan", "inf", "-0.1", "1.1", "half"])
def test_a_threshold_that_is_no_probability_is_refused(
    tmp_path: Path, pickled: Any, threshold: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number from 0 to 1, else argparse says what is wrong and nothing is written."""
    path = pickled(tiny_pair(MODELS["churn"]))
    with pytest.raises(SystemExit) as caught:
        main(["churn", str(path), "--output", str(tmp_path / "m"), f"--threshold={threshold}"])
    assert caught.value.code == 2
    assert "--threshold" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_name_that_no_model_can_have_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new one is in lower case, as it stands in the URL."""
    with pytest.raises(SystemExit) as caught:
        main(["Tips", str(tmp_path / "x")])
    assert caught.value.code == 2
    assert "'Tips' is not in lower case letters" in capsys.readouterr().err


def test_an_artifact_of_before_is_exchanged_whole(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """Plots of the old model do not stay beside the new one."""
    write_artifact(model, tmp_path, draw=lambda folder: (folder / "old.png").touch())
    assert (tmp_path / model.name / "old.png").exists()
    main([model.name, str(pickled(tiny_pair(model))), "--output", str(tmp_path)])
    files = {path.name for path in (tmp_path / model.name).iterdir()}
    assert files == {MANIFEST, model.artifact_file, "scorer.json"}


def test_a_folder_that_is_no_artifact_is_left_alone(tmp_path: Path, pickled: Any) -> None:
    """Somebody's own files are not exchanged for a model."""
    (tmp_path / "mine" / "ride").mkdir(parents=True)
    (tmp_path / "mine" / "ride" / "poem.txt").write_text("roses")
    line = refusal("ride", pickled(tiny_pair(MODELS["ride"])), tmp_path / "mine")
    assert "holds files but no manifest.json: name another --output" in line


def test_an_output_that_is_a_file_is_refused(pickled: Any) -> None:
    """One line, not a traceback."""
    path = pickled(tiny_pair(MODELS["ride"]))
    assert str(path) in refusal("ride", path, path)


@pytest.mark.slow
def test_it_is_one_command(tmp_path: Path, pickled: Any) -> None:
    """`python -m training.adopt` from the project's folder; a refusal ends with 1 and one line."""
    command = [sys.executable, "-m", "training.adopt", "ride"]
    more = ["--output", str(tmp_path / "models")]

    def run(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, str(path), *more], cwd=ROOT, env=environment(), capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    good = run(pickled(tiny_pair(MODELS["ride"])))
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1].startswith("wrote ")
    bad = run(tmp_path / "missing")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert len(bad.stderr.splitlines()) == 1


def _of_before(model: Model, folder: Path, **facts: Any) -> Path:
    """Write an artifact as it was before there were compiled forms."""
    write_artifact(model, folder, notes=["an old one"], **facts)
    path = folder / model.name
    (path / "scorer.json").unlink()
    told = json.loads((path / MANIFEST).read_text())
    del told["compiled"]
    (path / MANIFEST).write_text(json.dumps(told))
    return path


def test_an_artifact_of_before_gets_its_compiled_form(model: Model, tmp_path: Path) -> None:
    """In its place, with everything that its manifest tells, its plots and its very pair."""
    png = b"\x89PNG\r\n\x1a\n plot"
    path = _of_before(model, tmp_path, draw=lambda folder: (folder / "a.png").write_bytes(png))
    told, pair = manifest(tmp_path, model), (path / model.artifact_file).read_bytes()
    assert isinstance(Predictor.from_folder(path, model).scorer, SklearnScorer)
    main([model.name, str(path), "--output", str(tmp_path)])
    compiled = manifest(tmp_path, model).pop("compiled")
    assert manifest(tmp_path, model) == told | {"compiled": compiled}
    assert (path / model.artifact_file).read_bytes() == pair
    assert (path / "a.png").read_bytes() == png
    assert isinstance(Predictor.from_folder(path, model).scorer, Linear)


def test_an_artifact_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """As the service refuses it; the folder is as it was."""
    path = _of_before(MODELS["ride"], tmp_path)
    (path / "lin_reg.bin").write_bytes(b"damaged")
    assert "damaged or exchanged" in refusal("ride", path, tmp_path)


def test_an_artifact_keeps_its_threshold(tmp_path: Path, capsys: Any) -> None:
    """Compiling is no occasion to change the model."""
    path = _of_before(MODELS["churn"], tmp_path)
    with pytest.raises(SystemExit):
        main(["churn", str(path), "--output", str(tmp_path), "--threshold", "0.2"])
    assert "keeps its threshold" in capsys.readouterr().err
