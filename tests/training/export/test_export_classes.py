"""Exports of three classes, whatever of them the answer holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scoring.errors import ArtifactError
from scoring.models import Answer, Model, Shares
from scoring.predictor import Predictor
from scoring.scorers.classes import Classes
from tests.flowers import FLOWERS
from tests.support import write_pair
from tests.support.programs import skip_or_fail
from tests.training.export.exported import form_of, pair_of
from training.export.agreement import same_answer
from training.export.answers import answers_of
from training.export.dialects import DIALECTS
from training.export.form import ExportError
from training.export.formats import FORMATS
from training.export.judges import Judged
from training.export.onnx_read import read_onnx
from training.export.package import export
from training.export.reading import read_form
from training.export.sql_classes import of_classes


def brief(score: Shares, _threshold: float) -> Answer:
    return {"best": score.most_likely, "sure": float(score), "words": f"{score:.0%}"}


BRIEF: Model = dataclasses.replace(FLOWERS, answer=brief)


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    """Flowers whose answer has no probabilities."""
    pair = pair_of(FLOWERS, "linear")
    write_pair(tmp_path / "models", BRIEF, pair, golden=[dict(FLOWERS.example)])
    return Predictor.from_folder(tmp_path / "models" / "flowers", BRIEF)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["python", "javascript", "c", "onnx", "sql-duckdb", "sql-sqlite"])
def test_the_probabilities_are_the_score_whatever_the_answer(
    to: str, predictor: Predictor, tmp_path: Path
) -> None:
    """Of each class; and where each is against the rest, they are divided by their sum."""
    scorer = predictor.scorer
    assert isinstance(scorer, Classes)
    form = read_form(predictor)
    assert [answer.kind for answer in form.answers] == ["most_likely", "score"]
    assert form.notes[-1] == (
        "the answer's 'words' is left out: it is not one of the classes or of their probabilities"
    )
    for link in ("softmax", "logistic"):
        predictor.scorer = Classes(scorer.parts, scorer.classes, link)
        made = export(predictor, read_form(predictor), tmp_path / link, FORMATS[to])
        if "not_run" in made["proof"]:
            skip_or_fail(made["proof"]["not_run"])
        assert made["proof"]["largest_difference"] < 1e-12


def test_the_answers_of_classes_are_read() -> None:
    """By their values for many scores, equal ones too."""
    found, notes = answers_of(FLOWERS, 0.5)
    assert [(one.name, one.kind) for one in found] == [
        ("species", "most_likely"), ("probabilities", "probabilities"),
    ]  # fmt: skip
    assert notes == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"species": "versicolor"}, False),
        ({"probabilities": {"setosa": 0.7, "versicolor": 0.2}}, False),
        ({"probabilities": None}, False),
    ],
    ids=["the same", "another class", "a class less", "no probabilities"],
)
def test_another_answer_is_told(change: dict[str, object], same: bool) -> None:
    """Unless two classes are as likely: then either may be named."""
    shares = (0.7, 0.2, 0.1)
    answer = dict(FLOWERS.answer(Shares(shares, FLOWERS.classes), 0.5))
    form = form_of("flowers", "linear")
    assert same_answer(Judged(shares, None, {**answer, **change}), answer, form, 1e-9) == same
    even = (0.4, 0.4, 0.2)
    answer = dict(FLOWERS.answer(Shares(even, FLOWERS.classes), 0.5))
    told = {**answer, "species": "versicolor"}
    assert same_answer(Judged(even, None, told), answer, form, 1e-9)


@pytest.mark.slow
def test_sql_has_a_limit_of_classes() -> None:
    """With both numbers."""
    form = form_of("flowers", "linear")
    many = dataclasses.replace(form, classes=tuple(map(str, range(51))))
    with pytest.raises(ExportError, match="'flowers' tells 51 classes apart, and SQL holds at mo"):
        of_classes(many, DIALECTS["sqlite"])


@pytest.mark.slow
def test_such_a_graph_is_not_read_back(tmp_path: Path) -> None:
    """The message says what is."""
    path = tmp_path / "model.onnx"
    path.write_bytes(FORMATS["onnx"].files(form_of("flowers", "forest"))["model.onnx"])
    with pytest.raises(
        ArtifactError, match="tells several classes apart, and such ONNX is not read"
    ):
        read_onnx(path, FLOWERS)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_trees_that_tell_missing_numbers_from_zero_are_refused() -> None:
    """XGBoost's, over a field that may be null."""
    with pytest.raises(ExportError, match="tell a number that is missing from every value, which"):
        form_of("shop", "xgboost")
