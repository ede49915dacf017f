"""Models of three classes that others saved: what their owner may say of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoring.errors import ArtifactError
from scoring.predictor import Predictor
from tests.flowers import FLOWERS
from tests.training.adoption.archives import archive
from training.adoption.expectations import read_expectations
from training.adoption.take_in import Options, adopt

RECORD = {"petal_mm": 14.0, "sepal_mm": 50.0, "soil": "dry", "place": "hill"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A forest that scikit-learn 1.2 saved, and a request beside it."""
    [case] = [c for c in archive("1.2").of("flowers", "forest") if c.shape == "pair"]
    (tmp_path / "old.pkl").write_bytes(archive("1.2").content[case.files[0]])
    (tmp_path / "r.json").write_text(json.dumps(RECORD))
    return tmp_path / "old.pkl"


@pytest.mark.slow
def test_the_likeliest_class_is_an_expected_answer(path: Path) -> None:
    """With its probability or without; another one is refused, and nothing is written."""
    output, request = path.parent / "models", path.parent / "r.json"
    adopt(FLOWERS, [path], Options(output=output, say=lambda _: None))
    [answer] = Predictor.from_folder(output / "flowers", FLOWERS).one(RECORD).answers
    likely, share = answer["species"], max(answer["probabilities"].values())
    other = next(name for name in FLOWERS.classes if name != likely)
    for told in (likely, f"{likely}:{share:.3f}"):
        options = Options(output=output, expect=[f"{request}={told}"], say=lambda _: None)
        manifest = adopt(FLOWERS, [path], options)
        assert manifest.notes[-1].startswith("its answers to 1 record are those")
    for told in (other, f"{likely}:0.001"):
        options = Options(output=output, expect=[f"{request}={told}"], say=lambda _: None)
        with pytest.raises(ArtifactError, match=f"is answered {likely}:.*expected {told}"):
            adopt(FLOWERS, [path], options)


@pytest.mark.parametrize("told", ["0.5", "moss", f"{FLOWERS.classes[0]}:much"])
def test_an_answer_names_one_of_the_classes(path: Path, told: str) -> None:
    """Anything else is no answer of such a model."""
    with pytest.raises(ArtifactError, match="--expect takes FILE=ANSWER, as request.json=setosa"):
        read_expectations([f"{path.parent / 'r.json'}={told}"], FLOWERS)


def test_a_threshold_is_for_two_classes(path: Path) -> None:
    """So is the name of the positive one."""
    for options in (Options(threshold=0.4), Options(positive="setosa")):
        with pytest.raises(ArtifactError, match="are for two classes; 'flowers' tells 3 apart"):
            adopt(FLOWERS, [path], options)
