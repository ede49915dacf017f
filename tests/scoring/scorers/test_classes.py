"""Scores of several classes: their file, their links, and model files that mean them wrongly."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from scoring.artifact.reading import read_compiled
from scoring.errors import ArtifactError
from scoring.field_kinds import Refused
from scoring.model_checks import check
from scoring.scorers.classes import Classes, read, write
from scoring.scorers.linear import Linear, Table
from scoring.scorers.meaning import class_columns
from scoring.values.shares import Link, Shares, class_text, linked
from tests.flowers import FLOWERS, SPECIES


def part(weight: float, *, separator: str = "=") -> Linear:
    return Linear(
        Table(
            link="identity", intercept=weight, separator=separator,
            numbers={"petal": weight}, categories={"soil": {"wet": 1.0, "dry": -weight}},
        )
    )  # fmt: skip


def scorer(link: Link = "softmax") -> Classes:
    return Classes([part(0.5), part(-1.0), part(2.0)], SPECIES, link)


RECORD: dict[str, Any] = {"petal": 2.0, "soil": "dry"}


@pytest.mark.parametrize("link", ["softmax", "logistic"])
def test_a_file_is_read_as_it_was_written(link: Link) -> None:
    """To the last bit, one record and several, with what is unseen."""
    again = read(write(scorer(link)))
    score, unseen = again.one(RECORD)
    assert isinstance(score, Shares)
    assert (score.by_class, unseen) == (scorer(link).one(RECORD)[0].by_class, ())  # type: ignore[attr-defined]  # a Shares
    assert sum(score.shares) == pytest.approx(1)
    assert score == max(score.shares)
    scores, new = again.many([RECORD, {**RECORD, "soil": "mud"}])
    assert scores[0] == score
    assert new == {1: ["soil=mud"]}


def test_each_class_against_the_rest_has_its_own_weights() -> None:
    """Of a softmax they are less than their mean, which changes no probability."""
    alone = scorer("logistic").of_class(2)
    centred = scorer("softmax").of_class(2)
    assert alone is not None
    assert centred is not None
    assert alone.intercept == 2.0
    assert centred.intercept == pytest.approx(1.5)
    total, _ = centred.one(RECORD)
    shares = scorer().one(RECORD)[0].shares  # type: ignore[attr-defined]  # a Shares
    logs = [math.log(share) for share in shares]
    assert total == pytest.approx(logs[2] - sum(logs) / 3)


def _header(**changed: Any) -> bytes:
    line, _, rest = write(scorer()).partition(b"\n")
    return json.dumps(json.loads(line) | changed).encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no JSON", "cannot be used: its first line"),
        (_header(format=2), "cannot be used: format"),
        (_header(classes=["a", "b"]), "cannot be used: classes"),
        (_header(classes=["a", "a", "b"]), "its parts are not those of its first line"),
        (_header(sizes=[1, 2]), "its parts are not those of its first line"),
        (_header(sizes=[-5, 5, 5]), "its parts are not those of its first line"),
        (write(scorer()) + b"more", "its parts are not those of its first line"),
        (_header(of="trees"), "scorer.trees cannot be used"),
        (write(Classes([part(1.0), part(2.0), part(3.0, separator="~")], SPECIES, "softmax")),
         "its parts do not go together"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(data: bytes, words: str) -> None:
    """In one line that names the file and what was seen."""
    with pytest.raises(ArtifactError, match=words):
        read(data)


def test_a_file_of_other_classes_is_refused() -> None:
    """By the names of both; so is one of several where the model has one score."""
    other = Classes([part(1.0), part(2.0), part(3.0)], ("a", "b", "c"), "softmax")
    with pytest.raises(ArtifactError, match="made for the classes a, b, c; the model file has set"):
        read_compiled("classes", write(other), FLOWERS)


def test_what_is_no_number_is_no_probability() -> None:
    """The score is NaN then, which the predictor refuses."""
    for sums in ([math.nan, 0.0, 1.0], [math.inf, 0.0, 1.0]):
        assert math.isnan(Shares(linked(sums, "softmax"), SPECIES))
        assert math.isnan(Shares(sums, SPECIES))
    assert math.isnan(Shares(linked([-800.0] * 3, "logistic"), SPECIES))


def test_classes_are_told_by_name_or_by_place() -> None:
    """Whole numbers and truth values as their texts; anything else is refused."""
    assert [class_text(c) for c in (1.0, 2, True, "a", 1.5)] == ["1", "2", "true", "a", "1.5"]
    assert class_columns(["c", "a", "b"], ("a", "b", "c")) == [1, 2, 0]
    assert class_columns([0, 1, 2], ("a", "b", "c")) == [0, 1, 2]
    with pytest.raises(ArtifactError, match="classes are 'x', 'b', 'c'; the model file has 'a', "):
        class_columns(["x", "b", "c"], ("a", "b", "c"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"task": "regression"}, "it has classes, and its task is regression"),
        ({"classes": ("a", "b")}, "it has fewer than three classes"),
        ({"classes": ("a", "b", "a")}, "two of its classes have the same name"),
        ({"classes": ["a", "b", "c"]}, "a tuple of texts is expected"),
        ({"classes": ("a", "b", 3)}, "a tuple of texts is expected"),
        ({"answer": lambda score, _: {"species": score}}, "is the score itself"),
        ({"answer": lambda _, __: {"p": {}}}, "or numbers by class"),
        ({"answer": lambda _, __: {"p": {"a": "b"}}}, "or numbers by class"),
        ({"answer": lambda s, _: {"p": {s.most_likely: 1.0}}}, "other kinds of value, for another"),
    ],
)  # fmt: skip
def test_a_model_file_that_means_them_wrongly_is_refused(
    changed: dict[str, Any], words: str
) -> None:
    """When it is found, in one line."""
    model: Callable[..., Any] = dataclasses.replace
    with pytest.raises(Refused, match=words):
        check(model(FLOWERS, **changed), [])
