"""The values that a search may try, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.errors import TrainingError
from training.fit import estimators, spaces
from training.fit.spaces import Choice, Number

SPACES = [
    (task, name)
    for task in estimators._MAKERS
    for name in estimators.names(task)
    if estimators.space_of(task, name)
]


@pytest.mark.parametrize(("task", "name"), SPACES, ids=lambda word: word)
def test_an_estimator_takes_both_ends_of_its_space(task: Any, name: str) -> None:
    """Each parameter is one that it has."""
    space = estimators.space_of(task, name)
    for place in (0, -1):
        given = {key: part.ends[place] for key, part in space.items()}
        made = estimators.make(task, name, given, 1).get_params()
        for key, value in given.items():
            assert [v for k, v in made.items() if k.rpartition("__")[2] == key] == [value]


def test_only_what_has_a_space_and_is_quick_is_searched_unasked() -> None:
    """A linear regression has nothing to try; a forest would keep everybody waiting."""
    assert estimators.searched("regression") == ["ridge", "boosting", "xgboost", "means"]
    assert estimators.searched("classification") == ["logistic", "boosting", "xgboost"]
    assert estimators.space_of("regression", "linear") == {}


def test_texts_are_ranges_or_values() -> None:
    """Whole numbers where both ends are; the last of a name counts."""
    found = spaces.read(
        ["a=1..8", "b=0.01..10,log", "c=-1.5..2", "d=x,2,None,True", "e=7", "a=2..9"]
    )
    assert found == {
        "a": Number(2, 9),
        "b": Number(0.01, 10, log=True),
        "c": Number(-1.5, 2),
        "d": Choice(("x", 2, None, True)),
        "e": Choice((7,)),
    }
    assert found["a"].whole  # type: ignore[union-attr]
    assert not found["c"].whole  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.toml", 'a = {low = 1, high = 3}\nb = {low = 0.1, high = 2.0, log = true}\nc = ["x"]\n'),
        ("s.json", '{"a": {"low": 1, "high": 3}, "b": {"low": 0.1, "high": 2.0, "log": true}, '
                   '"c": ["x"]}'),
    ],
)  # fmt: skip
def test_files_hold_the_same(name: str, text: str, tmp_path: Path) -> None:
    """TOML and JSON; what is recorded of a search reads back."""
    (tmp_path / name).write_text(text)
    found = spaces.read([str(tmp_path / name)])
    assert found == {"a": Number(1, 3), "b": Number(0.1, 2.0, log=True), "c": Choice(("x",))}
    assert spaces.as_plain(found) == {
        "a": {"low": 1, "high": 3, "log": False},
        "b": {"low": 0.1, "high": 2.0, "log": True},
        "c": ["x"],
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a=", "--space takes a file, NAME=LOW..HIGH"),
        ("=1,2", "--space takes a file, NAME=LOW..HIGH"),
        ("a=5..2", "--space: a goes from 5 to 2; low below high"),
        ("a=0..2,log", "--space: a goes from 0 to 2; low, above 0 with log, below high"),
        ("a=x..2", "--space: a has low='x', high=2, log=False; numbers as low and high"),
        ("nowhere.toml", "--space: there is no file nowhere.toml; without one: NAME=LOW..HIGH"),
    ],
)
def test_a_wrong_text_is_refused_with_the_form(given: str, said: str) -> None:
    """One line that says what was seen."""
    with pytest.raises(TrainingError) as caught:
        spaces.read([given])
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "cannot be read: "),
        ("", "names no parameter"),
        ("a = 3", "a is 3; a list of values or low, high and log"),
        ("a = []", "a is []; a list of values"),
        ("a = [[1]]", "a is [[1]]; a list of values"),
        ("a = {low = 1, hihg = 3}", "a has low=1, hihg=3; numbers as low and high are expected"),
        ("a = {low = 1, high = inf}", "a has low=1, high=inf; numbers"),
        ("a = {low = true, high = 2}", "a has low=True, high=2; numbers"),
    ],
)
def test_a_wrong_file_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    """With the parameter and its value."""
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(TrainingError) as caught:
        spaces.read([str(path)])
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
