"""The estimators by name, and their parameters."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression

from training.errors import TrainingError
from training.fit import estimators

PAIRS = [(task, name) for task in estimators._MAKERS for name in estimators.names(task)]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_first_estimator_is_the_default() -> None:
    """Linear for rides, logistic with liblinear and C=1.0 for churn; the others by name."""
    rides = ["linear", "lasso", "ridge", "forest", "boosting", "xgboost", "means"]
    assert estimators.names("regression") == rides
    assert estimators.names("classification") == ["logistic", "forest", "boosting", "xgboost"]
    assert isinstance(estimators.make("regression", "linear", {}, 1), LinearRegression)
    churn = estimators.make("classification", "logistic", {}, 1)
    assert isinstance(churn, LogisticRegression)
    assert (churn.solver, churn.C) == ("liblinear", 1.0)


@pytest.mark.parametrize(("task", "name"), PAIRS, ids=lambda word: word)
def test_the_seed_reaches_every_estimator(task: Any, name: str) -> None:
    """It is the random_state of whatever has one, unless that is given."""
    made = estimators.make(task, name, {}, 7).get_params()
    seeds = {k: v for k, v in made.items() if k.rpartition("__")[2] == "random_state"}
    if cut := made.get("columns__means__cv"):  # has it in the place of an encoder's own
        assert seeds.pop("columns__means__random_state") == "deprecated"
        assert cut.random_state == 7
    assert set(seeds.values()) <= {7}
    assert seeds or name == "linear"
    if seeds:
        given = estimators.make(task, name, {"random_state": 3}, 7).get_params()
        assert {given[key] for key in seeds} == {3}


def test_parameters_are_set_by_name() -> None:
    """Also those of the estimator inside a pipeline, by their own names or in full."""
    assert estimators.make("regression", "lasso", {"alpha": 0.01}, 1).alpha == 0.01
    boosting = estimators.make(
        "regression", "boosting", {"max_iter": 7, "select__threshold": 0.5}, 1
    )
    assert boosting.get_params()["boosting__max_iter"] == 7
    assert boosting.get_params()["select__threshold"] == 0.5
    full = estimators.make("regression", "boosting", {"boosting__max_iter": 8}, 1)
    assert full.get_params()["boosting__max_iter"] == 8


def test_boosting_takes_a_dense_matrix_as_it_is() -> None:
    """No pipeline is needed where the one-hot columns are few."""
    made = estimators.make("classification", "boosting", {"max_iter": 7}, 1, sparse=False)
    assert not hasattr(made, "steps")
    assert made.max_iter == 7


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("lasso", "alhpa", "alpha"),
        ("forest", "n_estimator", "n_estimators"),
        ("boosting", "maxiter", "max_iter"),
        ("boosting", "select__treshold", "select__threshold"),
        ("xgboost", "learning-rate", "learning_rate"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_one_that_was_meant(
    name: str, given: str, meant: str
) -> None:
    """By name, and with all that there are."""
    with pytest.raises(TrainingError) as caught:
        estimators.make("regression", name, {given: 1}, 1)
    start = f"estimator '{name}' has no parameter '{given}', was '{meant}' meant?; it has: "
    assert str(caught.value).startswith(start)
    listed = str(caught.value).removeprefix(start).split(", ")
    assert meant in listed
    assert not {"steps", "memory", "boosting", "dense__transformers"} & set(listed)


def test_a_parameter_like_none_is_refused_without_a_guess() -> None:
    """The list of those there are is the help."""
    with pytest.raises(TrainingError) as caught:
        estimators.make("regression", "linear", {"zzz": 1}, 1)
    assert str(caught.value) == (
        "estimator 'linear' has no parameter 'zzz'; it has: "
        "copy_X, fit_intercept, n_jobs, positive, tol"
    )


def test_an_estimator_of_the_other_task_is_refused() -> None:
    """With those that the task has."""
    with pytest.raises(TrainingError) as caught:
        estimators.make("classification", "lasso", {}, 1)
    assert str(caught.value) == (
        "no estimator 'lasso' for classification; there are: logistic, forest, boosting, xgboost"
    )


def test_parameters_are_read_as_python_has_them() -> None:
    """Numbers, None and True are such; anything else is a text, with equals signs of its own."""
    given = ["a=1", "b=0.5", "c=None", "d=True", "e=reg:squarederror", "f=x=y", "g=", "h='1'"]
    assert estimators.parse(given) == {
        "a": 1, "b": 0.5, "c": None, "d": True, "e": "reg:squarederror", "f": "x=y", "g": "",
        "h": "1",
    }  # fmt: skip
    assert estimators.parse(["a=1", "a=2"]) == {"a": 2}


@pytest.mark.parametrize("given", ["alpha", "=1", ""])
def test_a_parameter_without_name_or_value_is_refused(given: str) -> None:
    """The form is said, and what came."""
    with pytest.raises(TrainingError) as caught:
        estimators.parse([given])
    assert str(caught.value) == f"--param takes name=value, not '{given}'"


def test_xgboost_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a dependency of training only."""
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(TrainingError, match="xgboost needs xgboost, which is not installed"):
        estimators.make("regression", "xgboost", {}, 1)


def test_a_forest_is_the_same_on_any_number_of_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many there are is not pickled: the digest stays."""
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40.0)
    pickles = []
    for cpus in (1, 3):
        monkeypatch.setattr(estimators, "_CPUS", cpus)
        forest = estimators.make("regression", "forest", {"n_estimators": 5}, 1)
        with estimators.parallel():
            pickles.append(pickle.dumps(forest.fit(x, y)))
    assert pickles[0] == pickles[1]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("rounds", [4, None], ids=["four rounds", "as many as it likes"])
def test_boosting_rounds_show_a_bar_on_a_terminal(
    rounds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step a round; the callback is not left in the estimator, which is pickled."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    made = estimators.make("regression", "xgboost", {"n_estimators": rounds}, 1)
    with estimators.progress(made):
        made.fit(np.arange(20.0).reshape(20, 1), np.arange(20.0))
    assert "boosting" in terminal.getvalue()
    assert f"{rounds}/{rounds}" in terminal.getvalue() or rounds is None
    assert made.callbacks is None


@pytest.mark.usefixtures("one_thread")
def test_without_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log file holds no control characters."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    made = estimators.make("regression", "xgboost", {"n_estimators": 2}, 1)
    with estimators.progress(made):
        made.fit(np.arange(20.0).reshape(20, 1), np.arange(20.0))
    assert stream.getvalue() == ""


def test_an_estimator_that_counts_no_rounds_has_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown that would stand still."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with estimators.progress(Lasso()):
        pass
    assert terminal.getvalue() == ""


def test_the_manifest_gets_plain_parameters_only() -> None:
    """No NaN, which is no JSON, and no objects."""
    made = estimators.make("regression", "xgboost", {"max_depth": 3}, 5)
    found = estimators.given_parameters(made)
    assert (found["max_depth"], found["random_state"]) == (3, 5)
    assert "missing" not in found  # NaN
    pipeline = estimators.given_parameters(estimators.make("regression", "boosting", {}, 5))
    assert pipeline["select__threshold"] == 0.001
    assert "select" not in pipeline


def test_the_parameters_of_an_older_estimator_are_those_it_holds() -> None:
    """One pickled by a version with fewer parameters cannot list today's."""
    older = Lasso(alpha=0.5)
    del older.precompute
    older.coef_ = np.zeros(1)
    with pytest.raises(AttributeError):
        older.get_params()
    found = estimators.given_parameters(older)
    assert found["alpha"] == 0.5
    assert "coef_" not in found
