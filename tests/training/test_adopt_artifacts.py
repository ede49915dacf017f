"""Artifacts that are there already: exchanged whole, or given the compiled form of their pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from tests.support import tiny_pair, write_artifact
from tests.training.adopting import MODELS, manifest, refusal
from training.adopt import main


@pytest.mark.slow
def test_an_artifact_of_before_is_exchanged_whole(
    tmp_path: Path, pickled: Any, model: Model
) -> None:
    """Plots of the old model do not stay beside the new one, only that it was there."""
    write_artifact(model, tmp_path, draw=lambda folder: (folder / "old.png").touch())
    assert (tmp_path / model.name / "old.png").exists()
    main([model.name, str(pickled(tiny_pair(model))), "--output", str(tmp_path)])
    files = {path.name for path in (tmp_path / model.name).iterdir()}
    assert files == {MANIFEST, model.artifact_file, "scorer.json", "history.jsonl"}


@pytest.mark.slow
def test_a_folder_that_is_no_artifact_is_left_alone(tmp_path: Path, pickled: Any) -> None:
    """Somebody's own files are not exchanged for a model."""
    (tmp_path / "mine" / "ride").mkdir(parents=True)
    (tmp_path / "mine" / "ride" / "poem.txt").write_text("roses")
    line = refusal("ride", pickled(tiny_pair(MODELS["ride"])), tmp_path / "mine")
    assert "holds files but no manifest.json: name another --output" in line


def _of_before(model: Model, folder: Path, **facts: Any) -> Path:
    """Write an artifact as it was before there were compiled forms."""
    write_artifact(model, folder, notes=["an old one"], **facts)
    path = folder / model.name
    (path / "scorer.json").unlink()
    told = json.loads((path / MANIFEST).read_text())
    del told["compiled"]
    (path / MANIFEST).write_text(json.dumps(told))
    return path


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_artifact_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """As the service refuses it; the folder is as it was."""
    path = _of_before(MODELS["ride"], tmp_path)
    (path / "lin_reg.bin").write_bytes(b"damaged")
    assert "damaged or exchanged" in refusal("ride", path, tmp_path)


@pytest.mark.slow
def test_an_artifact_keeps_its_threshold(tmp_path: Path, capsys: Any) -> None:
    """Compiling is no occasion to change the model."""
    path = _of_before(MODELS["churn"], tmp_path)
    with pytest.raises(SystemExit):
        main(["churn", str(path), "--output", str(tmp_path), "--threshold", "0.2"])
    assert "keeps its threshold" in capsys.readouterr().err
