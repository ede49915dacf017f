"""A model's folder, read with distrust: each error is one line that says what to do."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from scoring.artifact import FORMAT, MANIFEST, OTHER_VERSION, load
from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from tests.support import records, tiny_pair

MODELS = discover()


@pytest.fixture
def folder(models_dir: Path, model: Model, tmp_path: Path) -> Path:
    """A copy of the model's good folder, to be spoilt."""
    return shutil.copytree(models_dir / model.name, tmp_path / model.name)


def edit(folder: Path, **facts: Any) -> None:
    """Writes other facts into the manifest."""
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def put(folder: Path, model: Model, pair: object, **facts: Any) -> None:
    """Puts another pickle in the folder, its digest in the manifest, and no compiled form."""
    data = pair if isinstance(pair, bytes) else pickle.dumps(pair)
    (folder / model.artifact_file).write_bytes(data)
    edit(folder, sha256=hashlib.sha256(data).hexdigest(), compiled=None, **facts)


def refusal(folder: Path, model: Model) -> str:
    """Gives the line with which the folder is refused."""
    with pytest.raises(ArtifactError) as caught:
        Predictor.from_folder(folder, model)
    line = str(caught.value)
    assert line.startswith(f"model '{model.name}': ")
    assert len(line.splitlines()) == 1
    assert f"python train.py {model.name}" in line, "it does not say what to do"
    assert "Traceback" not in line
    return line


def test_a_good_folder_gives_its_manifest_and_its_scorer(folder: Path, model: Model) -> None:
    """What was written is read: the manifest whole, and what answers."""
    found = load(folder, model)
    written = json.loads((folder / MANIFEST).read_text())
    assert json.loads(found.manifest.model_dump_json()) == written
    assert found.manifest.format == FORMAT
    assert found.manifest.file == model.artifact_file
    assert found.scorer.kind == "linear"
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
    """Half a folder is none."""
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
        ({"golden": [{"record": {}, "answer": {"duration": "long"}}]}, "golden.0.answer.duration"),
        ({"golden": [{"answer": {}}]}, "golden.0.record"),
        ({"golden": [{"record": {}, "answer": {"a\nb": "x"}}]}, "golden.0.answer.a b"),
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
    monkeypatch.setattr("scoring.unpickle.loads", lambda *_, **__: pytest.fail("unpickled"))
    line = refusal(folder, model)
    assert hashlib.sha256(data).hexdigest()[:12] in line
    assert hashlib.sha256(data[:-1]).hexdigest()[:12] in line
    assert "damaged or exchanged" in line


def test_a_damaged_pickle_of_the_right_digest_is_refused(folder: Path, model: Model) -> None:
    """The manifest may have been made of a damaged file."""
    put(folder, model, (folder / model.artifact_file).read_bytes()[:-20])
    assert "the pickle cannot be read" in refusal(folder, model)


def test_another_models_pair_is_refused(folder: Path, model: Model) -> None:
    """A pair that was fitted on other features would answer with a wrong number."""
    other = next(found for found in MODELS.values() if found.name != model.name)
    vectorizer, _ = tiny_pair(other)
    _, estimator = tiny_pair(model)
    estimator.n_features_in_ = len(vectorizer.feature_names_)
    put(folder, model, (vectorizer, estimator))
    line = refusal(folder, model)
    assert f"the pair was fitted on other features than '{model.name}' makes" in line


WRONG_PAIRS: dict[str, Callable[[Any, Any], object]] = {
    "three": lambda v, e: (v, e, e),
    "list": lambda v, e: [v, e],
    "turned round": lambda v, e: (e, v),
    "estimator alone": lambda _, e: e,
    "vectorizer alone": lambda v, _: v,
    "no vectorizer": lambda _, e: (MaxAbsScaler(), e),
    "nothing": lambda _, __: None,
    "pipeline": lambda v, e: Pipeline([("vectorizer", v), ("estimator", e)]),
}


@pytest.mark.parametrize("shape", WRONG_PAIRS)
def test_what_is_no_pair_is_refused(folder: Path, model: Model, shape: str) -> None:
    """The pickle holds a tuple (DictVectorizer, estimator) and nothing else."""
    put(folder, model, WRONG_PAIRS[shape](*tiny_pair(model)))
    assert "the pickle holds no pair (DictVectorizer, estimator)" in refusal(folder, model)


def test_an_unfitted_vectorizer_is_refused(folder: Path, model: Model) -> None:
    """A vectorizer without features would fail at the first request."""
    _, estimator = tiny_pair(model)
    put(folder, model, (DictVectorizer(), estimator))
    assert "the DictVectorizer is not fitted" in refusal(folder, model)


def test_an_unfitted_estimator_is_refused(folder: Path, model: Model) -> None:
    """So would an estimator that has learnt nothing."""
    vectorizer, estimator = tiny_pair(model)
    put(folder, model, (vectorizer, type(estimator)()))
    assert type(estimator).__name__ in refusal(folder, model)


def test_an_unfitted_pipeline_is_refused(folder: Path, model: Model) -> None:
    """A pipeline says less about itself than an estimator, and fails as well."""
    vectorizer, estimator = tiny_pair(model)
    put(folder, model, (vectorizer, Pipeline([("last", type(estimator)())])))
    refusal(folder, model)


def test_an_estimator_that_gives_no_probability_is_refused(
    models_dir: Path, tmp_path: Path
) -> None:
    """A regression cannot answer for churn."""
    model = MODELS["churn"]
    folder = shutil.copytree(models_dir / "churn", tmp_path / "churn")
    vectorizer, _ = tiny_pair(model)
    put(folder, model, (vectorizer, LinearRegression()))
    line = refusal(folder, model)
    assert "LinearRegression has no predict_proba; classification needs it" in line


def test_an_estimator_that_cannot_predict_is_refused(models_dir: Path, tmp_path: Path) -> None:
    """Nor can a scaler for a ride."""
    model = MODELS["ride"]
    folder = shutil.copytree(models_dir / "ride", tmp_path / "ride")
    vectorizer, _ = tiny_pair(model)
    put(folder, model, (vectorizer, MaxAbsScaler()))
    assert "MaxAbsScaler has no predict; regression needs it" in refusal(folder, model)


@pytest.mark.parametrize("classes", [1, 3])
def test_a_classifier_of_other_than_two_classes_is_refused(
    models_dir: Path, tmp_path: Path, classes: int
) -> None:
    """Whose probability would the answer be?"""
    model = MODELS["churn"]
    folder = shutil.copytree(models_dir / "churn", tmp_path / "churn")
    vectorizer, estimator = tiny_pair(model)
    estimator.classes_ = np.arange(classes)
    put(folder, model, (vectorizer, estimator))
    assert f"the estimator knows {classes} classes, not two" in refusal(folder, model)


def test_three_fitted_classes_are_refused(models_dir: Path, tmp_path: Path) -> None:
    """The same with an estimator that was really fitted on three."""
    model = MODELS["churn"]
    folder = shutil.copytree(models_dir / "churn", tmp_path / "churn")
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    vectorizer = DictVectorizer(sparse=False)
    x = vectorizer.fit_transform(rows)
    estimator = LogisticRegression(max_iter=5000)
    estimator.fit(x / x.max(), [number % 3 for number in range(len(rows))])
    put(folder, model, (vectorizer, estimator))
    assert "the estimator knows 3 classes, not two" in refusal(folder, model)


@pytest.mark.parametrize("more", [-1, 1])
def test_a_pair_whose_halves_do_not_fit_is_refused(folder: Path, model: Model, more: int) -> None:
    """The estimator takes as many features as the vectorizer makes."""
    vectorizer, estimator = tiny_pair(model)
    width = len(vectorizer.feature_names_)
    estimator.n_features_in_ = width + more
    put(folder, model, (vectorizer, estimator))
    line = refusal(folder, model)
    assert f"makes {width} features, the estimator takes {width + more}" in line


def test_a_category_where_the_code_makes_a_number_is_refused(folder: Path, model: Model) -> None:
    """A pair trained on distances as text has columns that serving never fills."""
    rows = [dict(model.features(model.record.model_validate(row))) for row in records(model)]
    number = next(name for name, value in rows[0].items() if not isinstance(value, str))
    for row in rows:
        row[number] = str(row[number])
    vectorizer = DictVectorizer().fit(rows)
    _, estimator = tiny_pair(model)
    estimator.n_features_in_ = len(vectorizer.feature_names_)
    put(folder, model, (vectorizer, estimator))
    assert f"'{number}='" in refusal(folder, model)


def test_a_missing_column_is_said_to_be_in_the_code_alone(folder: Path, model: Model) -> None:
    """A pair trained on fewer fields than the code makes is refused too."""
    rows = [dict(model.features(model.record.model_validate(row))) for row in records(model)]
    left_out = sorted(rows[0])[-1]
    for row in rows:
        del row[left_out]
    vectorizer = DictVectorizer().fit(rows)
    _, estimator = tiny_pair(model)
    estimator.n_features_in_ = len(vectorizer.feature_names_)
    put(folder, model, (vectorizer, estimator))
    line = refusal(folder, model)
    assert repr(left_out) in line
    assert "only in the code" in line


def test_another_separator_is_understood(folder: Path, model: Model) -> None:
    """DictVectorizer(separator=':') is as good as the default."""
    put(folder, model, tiny_pair(model, separator=":"), golden=[])
    assert Predictor.from_folder(folder, model).manifest.model == model.name


HOSTILE_PARTS: dict[str, Callable[[Any, Any], object]] = {
    "names are a number": lambda v, _: setattr(v, "feature_names_", 5),
    "names are numbers": lambda v, _: setattr(v, "feature_names_", [1] * len(v.feature_names_)),
    "names are an array": lambda v, _: setattr(v, "feature_names_", np.array(v.feature_names_)),
    "no vocabulary": lambda v, _: delattr(v, "vocabulary_"),
    "an empty vocabulary": lambda v, _: v.vocabulary_.clear(),
    "no coefficients": lambda _, e: delattr(e, "coef_"),
    "too few coefficients": lambda _, e: setattr(e, "coef_", e.coef_[..., :-1]),
    "coefficients of text": lambda _, e: setattr(e, "coef_", "many"),
    "two outputs": lambda _, e: setattr(e, "coef_", np.stack([np.vstack([e.coef_] * 2)] * 2)),
    "not a number": lambda _, e: setattr(e, "coef_", e.coef_ * np.nan),
}


@pytest.mark.parametrize("part", HOSTILE_PARTS)
def test_a_pair_that_cannot_answer_is_refused(folder: Path, model: Model, part: str) -> None:
    """Allowed classes with the wrong things inside stop the start with one line."""
    pair = copy.deepcopy(tiny_pair(model))
    HOSTILE_PARTS[part](*pair)
    put(folder, model, pair, golden=[])
    refusal(folder, model)


def test_the_note_of_another_version_lets_it_in(
    folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the owner accepted another scikit-learn version, the manifest says so; else it is
    refused."""
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "0.24.2")
        data = pickle.dumps(tiny_pair(model))
    put(folder, model, data)
    assert "scikit-learn 0.24.2" in refusal(folder, model)
    edit(folder, notes=[OTHER_VERSION])
    assert load(folder, model).manifest.notes == [OTHER_VERSION]


def spoil(folder: Path, data: bytes) -> None:
    """Puts other bytes in the compiled form's place, their digest in the manifest."""
    (folder / "scorer.json").write_bytes(data)
    compiled = json.loads((folder / MANIFEST).read_text())["compiled"]
    edit(folder, compiled={**compiled, "sha256": hashlib.sha256(data).hexdigest()})


def test_a_compiled_model_is_never_unpickled(
    folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair beside it is for people, and for what the service cannot compile."""
    monkeypatch.setattr("scoring.unpickle.loads", lambda *_, **__: pytest.fail("unpickled"))
    assert Predictor.from_folder(folder, model).scorer.kind == "linear"


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
    assert paired.scorer.kind == "scikit-learn"
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
