"""What training.adopt does not take in is refused in one line, and nothing is written."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LinearRegression

from scoring.models import Model
from tests.support import tiny_pair
from tests.training.adopting import MODELS, refusal
from training.adopt import main


@pytest.mark.slow
def test_a_pair_that_knows_no_category_is_refused(tmp_path: Path, pickled: Any) -> None:
    """Here zones beyond the last: each looks like a pair of zones, none is ever made."""
    vectorizer, estimator = tiny_pair(MODELS["ride"])
    spelt = [re.sub(r"\d+", lambda n: f"{500 + int(n[0])}", c) if "=" in c else c
             for c in vectorizer.feature_names_]  # fmt: skip
    vectorizer.feature_names_ = spelt
    vectorizer.vocabulary_ = {name: place for place, name in enumerate(spelt)}
    line = refusal("ride", pickled((vectorizer, estimator)), tmp_path / "models")
    assert "none of the categories of 'PU_DO'" in line
    assert re.search(r"the pair knows 'PU_DO=[5-7]\d\d_[5-7]\d\d'", line)
    assert "the code makes 'PU_DO=74_75'" in line


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_output_that_is_a_file_is_refused(pickled: Any) -> None:
    """One line, not a traceback."""
    path = pickled(tiny_pair(MODELS["ride"]))
    assert str(path) in refusal("ride", path, path)
