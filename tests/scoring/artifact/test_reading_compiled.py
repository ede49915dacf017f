"""Compiled forms, read with distrust and in the place of the pair."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from tests.scoring.artifact.folders import MODELS, edit, refusal
from tests.support import records


def spoil(folder: Path, data: bytes) -> None:
    """Put other bytes in the compiled form's place, their digest in the manifest."""
    (folder / "scorer.json").write_bytes(data)
    compiled = json.loads((folder / MANIFEST).read_text())["compiled"]
    edit(folder, compiled={**compiled, "sha256": hashlib.sha256(data).hexdigest()})


def test_a_compiled_model_is_never_unpickled(
    folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair beside it is for people, and for what the service cannot compile."""
    monkeypatch.setattr("scoring.artifact.pickles.loads", lambda *_, **__: pytest.fail("unpickled"))
    assert isinstance(Predictor.from_folder(folder, model).scorer, Linear)


def test_an_artifact_of_before_compiled_forms_is_served_through_its_pair(
    folder: Path, model: Model
) -> None:
    """A manifest that knows of none is as good as ever, and gives the same answers."""
    compiled = Predictor.from_folder(folder, model)
    facts = json.loads((folder / MANIFEST).read_text())
    del facts["compiled"]
    (folder / MANIFEST).write_text(json.dumps(facts))
    (folder / "scorer.json").unlink()
    paired = Predictor.from_folder(folder, model)
    assert isinstance(paired.scorer, SklearnScorer)
    rows = paired.reader.many(records(model, 20))
    assert [*map(str, compiled.answers(rows))] != []
    for got, expected in zip(compiled.answers(rows), paired.answers(rows), strict=True):
        assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_truncated_compiled_form_is_refused(folder: Path, model: Model, cut: int) -> None:
    """Its digest is not the manifest's; with the digest of the truncated file it is no table."""
    data = (folder / "scorer.json").read_bytes()
    (folder / "scorer.json").write_bytes(data[:cut])
    assert "scorer.json has the sha256" in refusal(folder, model)
    spoil(folder, data[:cut])
    assert "scorer.json cannot be used: the file: " in refusal(folder, model)


def test_a_missing_compiled_form_is_named(folder: Path, model: Model) -> None:
    """The manifest promises it: a folder without it is half a folder."""
    (folder / "scorer.json").unlink()
    assert f"there is no {folder / 'scorer.json'}" in refusal(folder, model)


def test_a_pair_that_was_exchanged_is_refused_beside_its_compiled_form(
    folder: Path, model: Model
) -> None:
    """What serves and what others load from the same folder must be one model."""
    (folder / model.artifact_file).write_bytes(b"another")
    assert f"{model.artifact_file} has the sha256" in refusal(folder, model)
    (folder / model.artifact_file).unlink()
    assert f"there is no {folder / model.artifact_file}" in refusal(folder, model)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"intercept": "NaN"}, "intercept: "),
        ({"intercept": 1e999}, "intercept: "),
        ({"format": 2}, "format: "),
        ({"link": "cubic"}, "link: "),
        ({"numbers": {"x": True}}, "numbers.x: "),
        ({"numbers": []}, "numbers: "),
        ({"categories": {"x": {"y": None}}}, "categories.x.y: "),
        ({"more": 1}, "more: "),
    ],
    ids=str,
)
def test_a_compiled_form_of_another_shape_is_refused(
    folder: Path, model: Model, change: dict[str, Any], reason: str
) -> None:
    """The first thing that is wrong is named."""
    table = json.loads((folder / "scorer.json").read_text()) | change
    spoil(folder, json.dumps(table).encode())
    assert f"scorer.json cannot be used: {reason}" in refusal(folder, model)


def test_another_models_compiled_form_is_refused(
    models_dir: Path, folder: Path, model: Model
) -> None:
    """Foreign features would add nothing, and the answer would be a wrong number."""
    other = next(found for found in MODELS.values() if found.name != model.name)
    spoil(folder, (models_dir / other.name / "scorer.json").read_bytes())
    assert f"fitted on other features than '{model.name}' makes" in refusal(folder, model)


def test_a_compiled_form_of_other_weights_misses_its_golden_records(
    folder: Path, model: Model
) -> None:
    """The digest says that it is the manifest's; the golden records say that it is the model."""
    table = json.loads((folder / "scorer.json").read_text())
    spoil(folder, json.dumps(table | {"intercept": table["intercept"] + 1}).encode())
    assert "golden record 1 gives" in refusal(folder, model)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", ""])
def test_a_compiled_form_elsewhere_is_refused(folder: Path, model: Model, name: str) -> None:
    """It lies in the model's folder."""
    compiled = json.loads((folder / MANIFEST).read_text())["compiled"]
    edit(folder, compiled={**compiled, "file": name})
    assert f"{MANIFEST} cannot be used: compiled.file" in refusal(folder, model)
