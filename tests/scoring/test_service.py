"""The data plane: a body in, an answer out, without a word of HTTP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scoring.artifact import MANIFEST
from scoring.errors import (
    ArtifactError,
    InvalidRecords,
    NotJson,
    SettingsError,
    TooLarge,
    UnknownModel,
)
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.service import Predictors, predict
from tests.support import records, write_artifact

MODELS = discover()


@pytest.fixture
def predictor(models_dir: Path, model: Model) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


def test_an_object_gets_one_answer(predictor: Predictor) -> None:
    """One record: its answer and the version that gave it."""
    body = json.dumps(dict(predictor.model.example)).encode()
    found = predict(predictor, body, max_records=1)
    [answer] = predictor.answers([predictor.reader.one(dict(predictor.model.example))])
    assert found == {**answer, "model_version": predictor.version}


def test_an_array_gets_an_array(predictor: Predictor) -> None:
    """Records in an array: their answers in order, the version once."""
    rows = records(predictor.model, 9)
    found = predict(predictor, json.dumps(rows).encode(), max_records=10)
    assert found == {
        "predictions": predictor.answers(predictor.reader.many(rows)),
        "model_version": predictor.version,
    }


def test_an_empty_array_gets_an_empty_array(predictor: Predictor) -> None:
    """Nothing asked, nothing answered, no error."""
    found = predict(predictor, b"[]", max_records=1)
    assert found == {"predictions": [], "model_version": predictor.version}


def test_one_record_too_many_is_too_large(predictor: Predictor) -> None:
    """The limit is the most that is taken; above it nothing is even validated."""
    example = dict(predictor.model.example)
    found = predict(predictor, json.dumps([example] * 3).encode(), max_records=3)
    assert len(found["predictions"]) == 3
    with pytest.raises(TooLarge, match="4 records in one request; at most 3 are taken"):
        predict(predictor, b"[1, 2, 3, 4]", max_records=3)


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"", NotJson), (b"{", NotJson), (b"{}", InvalidRecords), (b"[[]]", InvalidRecords)],
    ids=str,
)
def test_a_bad_body_raises_its_error(
    predictor: Predictor, body: bytes, error: type[Exception]
) -> None:
    """Decoding and validating each have an error of their own."""
    with pytest.raises(error):
        predict(predictor, body, max_records=10)


def test_the_first_model_named_is_the_default(models_dir: Path) -> None:
    """MODELS decides the order; nothing named means all that are known."""
    some = Predictors.from_folders(models_dir, ("churn", "ride"), MODELS)
    assert [predictor.model.name for predictor in some] == ["churn", "ride"]
    assert some.default is some.get(None) is some.get("churn")
    every = Predictors.from_folders(models_dir, (), MODELS)
    assert [predictor.model.name for predictor in every] == list(MODELS)


def test_a_model_that_is_not_served_is_unknown(models_dir: Path) -> None:
    """A model that exists but is not named in MODELS is not there; those that are, are told."""
    some = Predictors.from_folders(models_dir, ("churn",), MODELS)
    with pytest.raises(UnknownModel, match="no model of that name is served; there are: churn"):
        some.get("ride")


def test_a_name_that_is_no_model_stops_the_start(models_dir: Path) -> None:
    """A typo in MODELS is told with the names that there are, before anything is loaded."""
    with pytest.raises(SettingsError, match=r"MODELS names 'tips'.*; there are: ride, churn"):
        Predictors.from_folders(models_dir / "nowhere", ("ride", "tips"), MODELS)


@pytest.mark.parametrize("names", [("ride", "churn"), ("churn", "ride"), ()])
@pytest.mark.parametrize("bad", ["ride", "churn"])
def test_one_bad_model_of_two_stops_the_start(
    tmp_path: Path, names: tuple[str, ...], bad: str
) -> None:
    """The service does not come up half-blind: it says which model is bad."""
    for found in MODELS.values():
        write_artifact(found, tmp_path)
    (tmp_path / bad / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match=f"^model '{bad}': there is no "):
        Predictors.from_folders(tmp_path, names, MODELS)


def test_a_bad_model_that_is_not_served_does_not_matter(models_dir: Path, tmp_path: Path) -> None:
    """What MODELS leaves out is not looked at."""
    shutil.copytree(models_dir / "churn", tmp_path / "churn")
    assert Predictors.from_folders(tmp_path, ("churn",), MODELS).default.model.name == "churn"
