"""A model's folder, read with distrust: each error is one line that says what to do."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import sklearn

from scoring.artifact.manifest import FORMAT, MANIFEST, OTHER_VERSION
from scoring.artifact.reading import load
from scoring.models import Model
from scoring.scorers.linear import Linear
from scoring.scorers.sklearn import SklearnScorer
from tests.scoring.artifact.folders import edit, put, refusal
from tests.support import tiny_pair


def test_a_good_folder_gives_its_manifest_and_its_scorer(folder: Path, model: Model) -> None:
    """What was written is read: the manifest whole, and what answers."""
    found = load(folder, model)
    written = json.loads((folder / MANIFEST).read_text())
    assert json.loads(found.manifest.model_dump_json()) == written
    assert found.manifest.format == FORMAT
    assert found.manifest.file == model.artifact_file
    assert isinstance(found.scorer, Linear)
    features = model.features(model.record.model_validate(model.example))
    assert len(found.scorer.many([features])[0]) == 1


def test_two_lines_of_plain_scikit_learn_can_load_the_pair(folder: Path, model: Model) -> None:
    """The file is the bare pickled pair, as the tutorials' is."""
    with (folder / model.artifact_file).open("rb") as file:
        vectorizer, estimator = pickle.load(file)
    features = model.features(model.record.model_validate(model.example))
    assert len(estimator.predict(vectorizer.transform([features]))) == 1


def test_unknown_words_in_a_manifest_are_ignored(folder: Path, model: Model) -> None:
    """A later release of the same format may have more to tell."""
    edit(folder, weather="fine")
    assert load(folder, model).manifest.model == model.name


def test_a_missing_folder_is_named(tmp_path: Path, model: Model) -> None:
    """No folder: where it was looked for, and how to make it."""
    line = refusal(tmp_path / "nowhere", model)
    assert f"there is no {tmp_path / 'nowhere' / MANIFEST}" in line


@pytest.mark.parametrize("what", ["manifest", "file"])
def test_a_missing_file_is_named(folder: Path, model: Model, what: str) -> None:
    """An incomplete folder is refused."""
    path = folder / {"manifest": MANIFEST, "file": model.artifact_file}[what]
    path.unlink()
    assert f"there is no {path}" in refusal(folder, model)


@pytest.mark.parametrize("what", ["manifest", "file"])
def test_a_file_that_cannot_be_read_is_named(folder: Path, model: Model, what: str) -> None:
    """A folder in a file's place, or a file without permission: the system's own words."""
    path = folder / {"manifest": MANIFEST, "file": model.artifact_file}[what]
    path.unlink()
    path.mkdir()
    assert f"{path} cannot be read: Is a directory" in refusal(folder, model)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "the file"),
        ("{", "the file"),
        ("[]", "the file"),
        ("null", "the file"),
        ("\ufeff{}", "the file"),
        ("[" * 10_000, "the file"),
        ("{}", "model"),
        ('{"model": 5}', "model"),
    ],
    ids=["empty", "broken off", "array", "null", "bom", "deep", "no field", "wrong type"],
)
def test_a_damaged_manifest_is_refused(folder: Path, model: Model, text: str, place: str) -> None:
    """The first thing that is wrong is named."""
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    assert f"{MANIFEST} cannot be used: {place}: " in refusal(folder, model)


def test_a_truncated_manifest_is_refused(folder: Path, model: Model) -> None:
    """A manifest that broke off anywhere is refused."""
    text = (folder / MANIFEST).read_text().rstrip()
    for length in range(0, len(text), max(1, len(text) // 20)):
        (folder / MANIFEST).write_text(text[:length])
        assert f"{MANIFEST} cannot be used: the file: " in refusal(folder, model)


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"format": FORMAT + 1}, "format"),
        ({"format": "one"}, "format"),
        ({"file": "../churn/model.bin"}, "file"),
        ({"file": "/etc/passwd"}, "file"),
        ({"file": "plots/../../x"}, "file"),
        ({"file": ".."}, "file"),
        ({"file": ""}, "file"),
        ({"file": "a\nb"}, "file"),
        ({"file": "model.bin\n"}, "file"),
        ({"file": "back\\slash"}, "file"),
        ({"sha256": "0" * 63}, "sha256"),
        ({"sha256": "G" * 64}, "sha256"),
        ({"created": "yesterday"}, "created"),
        ({"threshold": "high"}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": -0.5}, "threshold"),
        ({"golden": [{"record": {}, "answer": {"duration": [1]}}]}, "golden.0.answer.duration"),
        ({"golden": [{"answer": {}}]}, "golden.0.record"),
        ({"golden": [{"record": {}, "answer": {"a\nb": []}}]}, "golden.0.answer.a b"),
        ({"data": {"training": {"name": "x", "rows": "many", "sha256": "0"}}}, "data.training"),
    ],
    ids=str,
)
def test_a_manifest_with_a_wrong_field_is_refused(
    folder: Path, model: Model, facts: dict[str, Any], place: str
) -> None:
    """A wrong format number, a path that leaves the folder, a threshold that is no probability."""
    edit(folder, **facts)
    assert f"{MANIFEST} cannot be used: {place}" in refusal(folder, model)


@pytest.mark.parametrize("name", ["tips", "x\nall is well"])
def test_a_manifest_of_another_model_is_refused(folder: Path, model: Model, name: str) -> None:
    """A folder copied to the wrong place does not answer for the model of that place."""
    edit(folder, model=name)
    assert "is that of the model '" + " ".join(name.split()) + "'" in refusal(folder, model)


def test_a_file_that_does_not_match_its_digest_is_not_unpickled(
    folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest comes first: bytes that the manifest does not know never reach the unpickler."""
    data = (folder / model.artifact_file).read_bytes()
    (folder / model.artifact_file).write_bytes(data[:-1])
    monkeypatch.setattr("scoring.artifact.pickles.loads", lambda *_, **__: pytest.fail("unpickled"))
    line = refusal(folder, model)
    assert hashlib.sha256(data).hexdigest()[:12] in line
    assert hashlib.sha256(data[:-1]).hexdigest()[:12] in line
    assert "damaged or exchanged" in line


def test_a_pair_pickled_again_by_this_version_is_refused(folder: Path, model: Model) -> None:
    """Its stamp is ours then, but the manifest still says which version fitted it."""
    put(folder, model, tiny_pair(model), libraries={"scikit-learn": "1.3.2", "numpy": "1.26.4"})
    line = refusal(folder, model)
    assert "scikit-learn 1.3.2 fitted the pair" in line
    assert f"{model.artifact_file} was pickled by {sklearn.__version__}" in line


@pytest.mark.parametrize(
    "facts",
    [
        {"libraries": {"scikit-learn": "1.3.2"}, "notes": [OTHER_VERSION]},
        {"libraries": {"scikit-learn": "unknown"}},
        {"libraries": {}},
    ],
    ids=["accepted by its owner", "unknown", "not said"],
)
def test_a_version_that_is_accepted_or_unknown_is_served(
    folder: Path, model: Model, facts: dict[str, Any]
) -> None:
    """There is nothing that contradicts the pickle's own stamp."""
    put(folder, model, tiny_pair(model), **facts)
    assert isinstance(load(folder, model).scorer, SklearnScorer)


def test_a_damaged_pickle_of_the_right_digest_is_refused(folder: Path, model: Model) -> None:
    """The manifest may have been made of a damaged file."""
    put(folder, model, (folder / model.artifact_file).read_bytes()[:-20])
    assert "the pickle cannot be read" in refusal(folder, model)
