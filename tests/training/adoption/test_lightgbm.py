"""LightGBM's models are read from the text in their pickles, without the package."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path

import pytest

from scoring.artifact.manifest import NOT_PROVED
from scoring.artifact.reading import read_compiled
from scoring.compiler.compile import NotCompiled
from scoring.models import discover
from scoring.predictor import Predictor
from scoring.saved.containers import read_bytes
from scoring.saved.shapes import choose
from scoring.saved.stand_ins import StandIn, walk
from scoring.values.shares import Shares
from tests.flowers import FLOWERS
from tests.training.adoption.archives import FOLDER, asked
from training.adopt import main
from training.adoption.as_data import read_as_data

MODELS = discover()


@cache
def content() -> dict[str, bytes]:
    """Return what make_lightgbm.py put into its archive."""
    with tarfile.open(FOLDER / "lightgbm.tar.xz") as file:
        return {entry.name: held.read() for entry in file if (held := file.extractfile(entry))}


@pytest.mark.parametrize("model", ["ride", "churn"])
@pytest.mark.parametrize("kind", ["estimator", "booster"])
def test_its_answers_are_those_of_the_package(model: str, kind: str, tmp_path: Path) -> None:
    """Of an estimator and of a booster; the manifest says that they were not proved against it."""
    (tmp_path / "m.pkl").write_bytes(content()[f"{model}/{kind}"])
    main([model, str(tmp_path / "m.pkl"), "--output", str(tmp_path / "models")])
    predictor = Predictor.from_folder(tmp_path / "models" / model, MODELS[model])
    found, unseen = predictor.scorer.many(asked(model))
    expected = json.loads(content()["answers.json"])[model]
    assert found == pytest.approx(expected, rel=1e-9)
    assert unseen == {}
    assert NOT_PROVED in predictor.manifest.notes


@pytest.mark.parametrize("kind", ["estimator", "booster"])
def test_its_classes_have_the_probabilities_of_the_package(kind: str) -> None:
    """Of three: by the names that an estimator holds; a booster has their places alone, which are
    those of the model file."""
    chosen = choose([read_bytes("m.pkl", content()[f"flowers/{kind}"])], None)
    made = read_as_data(chosen, FLOWERS, None).made
    found, _ = read_compiled(made.kind, made.data, FLOWERS).many(asked("flowers"))
    expected = json.loads(content()["answers.json"])["flowers"]
    for one, wanted in zip(found, expected, strict=True):
        assert isinstance(one, Shares)
        if kind == "booster":
            wanted = dict(zip(FLOWERS.classes, wanted.values(), strict=True))
        assert one.by_class == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("objective=regression", "objective=poisson", "objective 'poisson' cannot be read"),
        ("objective=regression", "objective=regression sqrt", "cannot be read"),
        ("num_cat=0", "num_cat=1", "categorical columns"),
        ("is_linear=0", "is_linear=1", "linear leaves"),
        ("decision_type=2", "decision_type=6", "takes zero for missing"),
        ("max_feature_idx=", "max_feature_idx=9", "makes 13 columns, LightGBM's model takes"),
        ("num_leaves=", "num_leaves=9999999", "nodes, more than are compiled"),
        ("left_child=", "left_child=0 ", "cannot be read|damaged"),
        ("threshold=", "threshold=x ", "text cannot be read"),
        ("split_feature=", "split_feature=999 ", "cannot be read|damaged"),
        ("tree\n", "nothing\n", "holds no trees"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_so_is_refused(old: str, new: str, words: str) -> None:
    """By what it says of itself, and where its nodes lead nowhere."""
    saved = read_bytes("m.pkl", content()["ride/booster"])
    for found in walk(saved.roots):
        if isinstance(found, StandIn) and "_handle" in found.attributes:
            assert old in found.attributes["_handle"]
            found.attributes["_handle"] = found.attributes["_handle"].replace(old, new)
    with pytest.raises(NotCompiled, match=words):
        read_as_data(choose([saved], None), MODELS["ride"], None)
