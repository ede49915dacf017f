"""The data plane: a body in, an answer out, without a word of HTTP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.engine import Predictors, answer_each, answer_values, predict
from scoring.errors import (
    ArtifactError,
    InvalidRecords,
    NotJson,
    SettingsError,
    TooLarge,
    UnknownModel,
)
from scoring.limits import Limits
from scoring.models import Model, discover
from scoring.observers.observer import Caller
from scoring.predictor import Predictor, Scored
from scoring.values.strict_json import encode
from tests.support import records, write_artifact

MODELS = discover()


@pytest.fixture
def predictor(models_dir: Path, model: Model) -> Predictor:
    return Predictor.from_folder(models_dir / model.name, model)


def test_an_object_gets_one_answer(predictor: Predictor) -> None:
    """One record: its answer and the version that gave it."""
    body = json.dumps(dict(predictor.model.example)).encode()
    found = predict(predictor, body, limits=Limits(max_records=1))
    [answer] = predictor.answers([predictor.reader.one(dict(predictor.model.example))])
    assert found == {**answer, "model_version": predictor.version}


def test_an_array_gets_an_array(predictor: Predictor) -> None:
    """Records in an array: their answers in order, the version once."""
    rows = records(predictor.model, 9)
    found = predict(predictor, json.dumps(rows).encode(), limits=Limits(max_records=10))
    assert found == {
        "predictions": predictor.answers(predictor.reader.many(rows)),
        "model_version": predictor.version,
    }


def test_an_empty_array_gets_an_empty_array(predictor: Predictor) -> None:
    """Nothing asked, nothing answered, no error."""
    found = predict(predictor, b"[]", limits=Limits(max_records=1))
    assert found == {"predictions": [], "model_version": predictor.version}


def test_one_record_too_many_is_too_large(predictor: Predictor) -> None:
    """The limit is the most that is taken; above it nothing is even validated."""
    example = dict(predictor.model.example)
    found = predict(predictor, json.dumps([example] * 3).encode(), limits=Limits(max_records=3))
    assert len(found["predictions"]) == 3
    with pytest.raises(TooLarge, match="4 records in one request; at most 3 are taken"):
        predict(predictor, b"[1, 2, 3, 4]", limits=Limits(max_records=3))


def test_the_number_of_errors_listed_is_a_limit(predictor: Predictor) -> None:
    """Of a hundred bad records, as many fields are named as the limits allow."""
    with pytest.raises(InvalidRecords, match="the first 5 errors are listed") as caught:
        predict(predictor, b"[" + b",".join([b"{}"] * 100) + b"]", limits=Limits(max_errors=5))
    assert len(caught.value.errors) == 5


def test_the_number_of_explanations_is_a_limit(predictor: Predictor) -> None:
    """As many records as may be explained are; one more is too large, which none without is."""
    limits = Limits(max_explained=2)
    example = dict(predictor.model.example)
    found = predict(predictor, json.dumps([example] * 2).encode(), limits=limits, explain=True)
    assert all("explanation" in answer for answer in found["predictions"])
    body = json.dumps([example] * 3).encode()
    with pytest.raises(TooLarge, match="3 records to explain; at most 2 in one request"):
        predict(predictor, body, limits=limits, explain=True)
    assert len(predict(predictor, body, limits=limits)["predictions"]) == 3


class Noted:
    """Keeps what the engine tells its observer."""

    wanted: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.answers: list[tuple[str, int, str]] = []
        self.errors: list[tuple[str, InvalidRecords]] = []

    def answered(
        self, predictor: Predictor, scored: Scored, seconds: float, caller: Caller
    ) -> None:
        assert seconds > 0
        self.answers.append((predictor.version, len(scored.scores), caller.request_id))

    def refused(self, predictor: Predictor, error: InvalidRecords) -> None:
        self.errors.append((predictor.version, error))

    def stop(self) -> None:
        """Nothing is pending."""


def test_the_observer_sees_each_call_once(predictor: Predictor) -> None:
    """Bodies and values, answered and refused, are told to it by one path; what is no record at
    all, or too much, is not."""
    example, limits, noted = dict(predictor.model.example), Limits(max_records=2), Noted()
    tell: dict[str, Any] = {"limits": limits, "observer": noted, "caller": Caller("id")}
    predict(predictor, json.dumps(example).encode(), **tell)
    answer_values(predictor, [example] * 2, **tell)
    version = predictor.version
    assert (noted.answers, noted.errors) == ([(version, 1, "id"), (version, 2, "id")], [])
    with pytest.raises(InvalidRecords):
        predict(predictor, b"{}", **tell)
    with pytest.raises(InvalidRecords):
        answer_values(predictor, [{}], **tell)
    for body in (b"[{}, {}, {}]", b"{"):
        with pytest.raises((TooLarge, NotJson)):
            predict(predictor, body, **tell)
    assert (len(noted.answers), len(noted.errors)) == (2, 2)


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
        predict(predictor, body, limits=Limits(max_records=10))


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


@pytest.mark.slow
@pytest.mark.parametrize("names", [("ride", "churn"), ("churn", "ride"), ()])
@pytest.mark.parametrize("bad", ["ride", "churn"])
def test_one_bad_model_of_two_stops_the_start(
    tmp_path: Path, names: tuple[str, ...], bad: str
) -> None:
    """The service does not come up half-blind: it says which model is bad."""
    for found in MODELS.values():
        write_artifact(found, tmp_path)
    (tmp_path / bad / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match=f"^model '{bad}': there is no ") as refused:
        Predictors.from_folders(tmp_path, names, MODELS)
    others = ",".join(name for name in MODELS if name != bad)
    assert str(refused.value).endswith(f"; MODELS={others} serves without it") is not bool(names)


def test_a_bad_model_that_is_not_served_does_not_matter(models_dir: Path, tmp_path: Path) -> None:
    """What MODELS leaves out is not looked at."""
    shutil.copytree(models_dir / "churn", tmp_path / "churn")
    assert Predictors.from_folders(tmp_path, ("churn",), MODELS).default.model.name == "churn"


def test_ids_beside_the_fields_are_handed_on_where_they_are_wanted(predictor: Predictor) -> None:
    """Of an object, an array, values and events; what is no id or too long is left out, and nothing
    is read where nobody wants it."""
    kept: list[Caller] = []

    class Wanting(Noted):
        wanted = ("customerid", "ride_id")

        def answered(self, _p: Predictor, _s: Scored, _seconds: float, caller: Caller) -> None:
            kept.append(caller)

    example = dict(predictor.model.example)
    rows = [{**example, "customerid": "c1", "ride_id": 7}, {**example, "customerid": ["c"]},
            {**example, "customerid": "c" * 129, "ride_id": True}]  # fmt: skip
    expected = [{"customerid": "c1", "ride_id": "7"}, {}, {}]
    observer, limits = Wanting(), Limits()
    predict(predictor, encode(rows[0]), limits=limits, observer=observer)
    predict(predictor, encode(rows), limits=limits, observer=observer)
    answer_values(predictor, rows, limits=limits, observer=observer)
    events = [encode(rows[0]), b"{", b"[]", rows[1], encode(rows[2])]
    answer_each(predictor, events, ids=["a", "b", "c", "d", "e"], observer=observer)
    assert [list(caller.carried) for caller in kept] == [expected[:1], *[expected] * 3]
    assert kept[-1].ids == ["a", "d", "e"]
    predict(predictor, encode(rows), limits=limits, observer=(quiet := Noted()))
    assert len(quiet.answers) == 1
