"""CatBoost's models are read from its JSON, without the package; a pickle needs it."""

from __future__ import annotations

import importlib.util
import json
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import NOT_PROVED
from scoring.artifact.reading import read_compiled
from scoring.compiler.compile import NotCompiled
from scoring.errors import ArtifactError
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.saved.containers import read_bytes
from scoring.saved.shapes import choose
from scoring.values.shares import Shares
from tests.flowers import FLOWERS
from tests.training.adoption.archives import FOLDER, asked
from training.adopt import main
from training.adoption.as_data import read_as_data

MODELS = {**discover(), "flowers": FLOWERS}


@cache
def content() -> dict[str, bytes]:
    """Return what make_catboost.py put into its archive."""
    with tarfile.open(FOLDER / "catboost.tar.xz") as file:
        return {entry.name: held.read() for entry in file if (held := file.extractfile(entry))}


def read(model: str, told: bytes) -> list[Any]:
    """Return the scores of the compiled form; of several classes by name."""
    files = [read_bytes("m.json", told), read_bytes("dv.pkl", content()[f"{model}/vectorizer"])]
    made = read_as_data(choose(files, None), MODELS[model], None).made
    found, _ = read_compiled(made.kind, made.data, MODELS[model]).many(asked(model))
    return [one.by_class if isinstance(one, Shares) else one for one in found]


@pytest.mark.parametrize("model", ["ride", "churn", "flowers"])
def test_its_answers_are_those_of_the_package(model: str) -> None:
    """Of a value, of two classes and of three."""
    expected = json.loads(content()["answers.json"])[model]
    for got, wanted in zip(read(model, content()[f"{model}/json"]), expected, strict=True):
        assert got == pytest.approx(wanted, rel=1e-9)


def test_its_json_beside_the_vectorizer_serves(tmp_path: Path) -> None:
    """With the word that it was not proved against its library."""
    (tmp_path / "m.json").write_bytes(content()["ride/json"])
    (tmp_path / "dv.pkl").write_bytes(content()["ride/vectorizer"])
    words = ["ride", str(tmp_path / "dv.pkl"), str(tmp_path / "m.json")]
    main([*words, "--output", str(tmp_path / "models")])
    predictor = Predictor.from_folder(tmp_path / "models" / "ride", MODELS["ride"])
    assert NOT_PROVED in predictor.manifest.notes
    assert predictor.manifest.estimator == "CatBoost"


@pytest.mark.slow
def test_an_unknown_model_is_guessed_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes are those that the JSON names."""
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("MODEL_CODE", str(tmp_path / "mine"))
    (tmp_path / "m.json").write_bytes(content()["flowers/json"])
    (tmp_path / "dv.pkl").write_bytes(content()["flowers/vectorizer"])
    words = ["blossom", str(tmp_path / "dv.pkl"), str(tmp_path / "m.json")]
    main([*words, "--output", str(tmp_path / "models")])
    assert set(discover()["blossom"].classes) == set(FLOWERS.classes)


@pytest.mark.skipif(
    importlib.util.find_spec("catboost") is not None, reason="CatBoost is installed here"
)
def test_a_pickle_without_the_package_says_what_would_do(tmp_path: Path) -> None:
    """The class that it met, and two ways on."""
    (tmp_path / "m.pkl").write_bytes(content()["churn/pair"])
    words = "CatBoost's CatBoostClassifier: install catboost here, .* or write it where .*json"
    with pytest.raises(SystemExit, match=words):
        main(["churn", str(tmp_path / "m.pkl"), "--output", str(tmp_path / "models")])
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("model", list(MODELS))
def test_a_pickle_is_read_by_the_package(model: str) -> None:
    """Where it is there, it writes the JSON."""
    pytest.importorskip("catboost", reason="CatBoost (97 MB) is not installed")
    expected = json.loads(content()["answers.json"])[model]
    saved = read_bytes("m.pkl", content()[f"{model}/pair"])
    made = read_as_data(choose([saved], None), MODELS[model], None).made
    found, _ = read_compiled(made.kind, made.data, MODELS[model]).many(asked(model))
    each = [one.by_class if isinstance(one, Shares) else one for one in found]
    for got, wanted in zip(each, expected, strict=True):
        assert got == pytest.approx(wanted, rel=1e-9)


def _loss(told: dict[str, Any], name: str) -> None:
    told["model_info"]["params"]["loss_function"]["type"] = name


def _splits(told: dict[str, Any], **changed: Any) -> None:
    told["oblivious_trees"][0]["splits"][0] |= changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: _loss(told, "Poisson"), "loss Poisson cannot be read"),
        (lambda told: _loss(told, "Logloss"), "loss Logloss cannot be read"),
        (lambda told: _splits(told, split_type="OnlineCtr"), "categorical columns"),
        (lambda told: _splits(told, float_feature_index=999), "damaged"),
        (lambda told: _splits(told, border="x"), "JSON cannot be read: ValueError"),
        (lambda told: told["oblivious_trees"][0]["leaf_values"].pop(), "not as many"),
        (lambda told: told["oblivious_trees"][0].update(splits=[{}] * 60), "60 levels"),
        (lambda told: told["features_info"]["float_features"].pop(), "makes 13 columns"),
        (lambda told: told["features_info"].update(categorical_features=[1]), "categorical"),
        (lambda told: told["scale_and_bias"][1].append(0.0), "2 numbers to begin with"),
        (lambda told: told.update(model_info=None), "JSON cannot be read: TypeError"),
        (lambda told: told.update(oblivious_trees_of=told.pop("oblivious_trees")), "is JSON, and"),
    ],
    ids=["a loss", "two classes", "a category", "a column", "a border", "a leaf", "levels",
         "columns", "categories", "beginnings", "no story", "other trees"],
)  # fmt: skip
def test_what_cannot_be_read_so_is_refused(
    change: Callable[[dict[str, Any]], object], words: str
) -> None:
    """By what it says of itself, and where it does not hold what it should."""
    told = json.loads(content()["ride/json"])
    change(told)
    with pytest.raises((ArtifactError, NotCompiled), match=words):
        read("ride", json.dumps(told).encode())
