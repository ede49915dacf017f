"""A pair that was pickled elsewhere is taken in by one command, and then served."""

from __future__ import annotations

import hashlib
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.pipeline import Pipeline

from scoring.models import Model
from scoring.predictor import Predictor
from serving.app import create_app
from serving.settings import Settings
from tests.support import ROOT, environment, tiny_pair
from tests.training.adopting import MODELS, manifest
from training.adopt import main
from training.sources import source_of


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.long
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
