"""Make the estimators that can be trained, by name and parameters."""

from __future__ import annotations

import ast
import difflib
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from joblib import parallel_config
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from scoring.models import Model
from training.errors import TrainingError
from training.fit.means import FOLDS, means
from training.fit.spaces import Number, Space
from training.optional import needed_by

Task = Literal["regression", "classification", "classes"]  # classes: more than two

_CPUS = os.cpu_count() or 1

# The trees of one block of leaf sets (scoring/scorers/leafsets.py), their leaves those of a word.
_MEANS: Final = {
    "early_stopping": False, "learning_rate": 0.09, "max_iter": 128, "max_leaf_nodes": 64,
}  # fmt: skip
_FOLDS: Final = 5  # in which the means of the training rows are made

# Of a model that has further features, these take them too.
TAKE_FURTHER: Final = frozenset({"means"})

# Parameters of a pipeline that are not its steps': nobody means to set them here.
_PIPELINE_WORDS = {
    "boosting", "codes", "columns", "dense", "logistic", "memory", "scale", "select", "steps",
    "transform_input",
}  # fmt: skip
_NAMED = (
    "boosting__",
    "logistic__",
    "columns__means__",
)  # of the steps whose parameters go by their own names


def _boosting(boosting: Any, *, sparse: bool) -> Any:
    """Return the estimator, behind a selection of columns where the matrix is sparse.

    Histogram boosting takes no sparse matrix, and thirteen thousand zone pairs as dense columns
    fill a machine. It gets the columns that vary: the quantities, and the categories of at least
    one in a thousand rows (`--param select__threshold=0.001`).
    """
    if not sparse:
        return boosting
    dense = ColumnTransformer([("dense", "passthrough", slice(0, None))], sparse_threshold=0)
    select = VarianceThreshold(threshold=0.001)
    return Pipeline([("select", select), ("dense", dense), ("boosting", boosting)])


def _multinomial() -> Any:
    """Return a logistic regression of several classes. What solves it takes thousands of rounds
    where columns are of different size, so they are scaled; not centred, as that would fill a
    sparse matrix."""
    scale = StandardScaler(with_mean=False)
    return Pipeline([("scale", scale), ("logistic", LogisticRegression(C=1.0, max_iter=1000))])


def _xgboost(name: str) -> Any:
    with needed_by("--estimator xgboost"):
        import xgboost
    return getattr(xgboost, name)()


class Kind(NamedTuple):
    """How an estimator is made, and which values of its parameters a search tries."""

    make: Callable[[bool], Any]  # is told whether its matrix will be sparse
    space: Space = MappingProxyType({})
    quick: bool = True  # whether a search that is not told which estimator tries this one too


_ALPHA: Final[Space] = {"alpha": Number(1e-3, 100.0, log=True)}
_FOREST: Final[Space] = {
    "n_estimators": Number(20, 200, log=True),
    "max_depth": Number(4, 24),
    "min_samples_leaf": Number(1, 50, log=True),
    "max_features": Number(0.1, 1.0),
}
_BOOSTING: Final[Space] = {
    "max_iter": Number(30, 400, log=True),
    "learning_rate": Number(0.02, 0.4, log=True),
    "max_leaf_nodes": Number(8, 128, log=True),
    "min_samples_leaf": Number(5, 200, log=True),
    "l2_regularization": Number(1e-3, 30.0, log=True),
}
_XGBOOST: Final[Space] = {
    "n_estimators": Number(30, 400, log=True),
    "learning_rate": Number(0.02, 0.5, log=True),
    "max_depth": Number(3, 10),
    "min_child_weight": Number(0.3, 30.0, log=True),
    "reg_lambda": Number(1e-2, 30.0, log=True),
    "subsample": Number(0.5, 1.0),
}

_MAKERS: dict[Task, dict[str, Kind]] = {
    "regression": {
        "linear": Kind(lambda _: LinearRegression()),
        "lasso": Kind(lambda _: Lasso(), _ALPHA, quick=False),
        "ridge": Kind(lambda _: Ridge(), _ALPHA),
        "forest": Kind(lambda _: RandomForestRegressor(), _FOREST, quick=False),
        "boosting": Kind(lambda s: _boosting(HistGradientBoostingRegressor(), sparse=s), _BOOSTING),
        "xgboost": Kind(lambda _: _xgboost("XGBRegressor"), _XGBOOST),
        "means": Kind(lambda _: means(HistGradientBoostingRegressor(**_MEANS)), _BOOSTING),
    },
    "classification": {
        "logistic": Kind(
            lambda _: LogisticRegression(solver="liblinear", C=1.0),
            {"C": Number(1e-3, 100.0, log=True)},
        ),
        "forest": Kind(lambda _: RandomForestClassifier(), _FOREST, quick=False),
        "boosting": Kind(
            lambda s: _boosting(HistGradientBoostingClassifier(), sparse=s), _BOOSTING
        ),
        "xgboost": Kind(lambda _: _xgboost("XGBClassifier"), _XGBOOST),
    },
}
_MAKERS["classes"] = {
    **_MAKERS["classification"],
    "logistic": Kind(lambda _: _multinomial(), {"C": Number(1e-3, 100.0, log=True)}),
}


def task_of(model: Model) -> Task:
    """Return what an estimator of a model is asked for."""
    return "classes" if model.classes else model.task


def names(task: Task) -> list[str]:
    """Return the names of a task's estimators; the first is the default."""
    return list(_MAKERS[task])


def space_of(task: Task, name: str) -> Space:
    """Return which values a search tries for an estimator; empty where there is nothing to try."""
    return _MAKERS[task][name].space


def searched(task: Task) -> list[str]:
    """Return the names of the estimators that a search tries which is not told one."""
    return [name for name, kind in _MAKERS[task].items() if kind.space and kind.quick]


def make(
    task: Task, name: str, parameters: Mapping[str, Any], seed: int, *, sparse: bool = True
) -> Any:
    """Return an unfitted estimator with `parameters`, for a matrix that is `sparse` or dense.

    `seed` is its random_state unless `parameters` have one. Raises TrainingError for an unknown
    estimator, and for an unknown parameter with the nearest one that there is.
    """
    if name not in _MAKERS[task]:
        raise TrainingError(
            f"no estimator '{name}' for {task}; there are: {', '.join(names(task))}"
        )
    estimator = _MAKERS[task][name].make(sparse)
    known = estimator.get_params()
    given = {_full_name(key, known, name): value for key, value in parameters.items()}
    seeds: dict[str, Any] = {
        key: seed
        for key, value in known.items()
        if key.rpartition("__")[2] == "random_state" and value != "deprecated"
    }
    if FOLDS in known:
        seeds[FOLDS] = KFold(_FOLDS, shuffle=True, random_state=seed)
    return estimator.set_params(**{**seeds, **given})


def parse(pairs: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of `name=value` texts; a value is a Python literal, else a text."""
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise TrainingError(f"--param takes name=value, not '{pair}'")
        try:
            parameters[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parameters[name] = value
    return parameters


def parallel() -> AbstractContextManager[Any]:
    """Let a forest grow on every CPU within the block.

    Its own `n_jobs` would do the same and be pickled: the same training on another machine would
    have another digest.
    """
    manager: AbstractContextManager[Any] = parallel_config("threading", n_jobs=_CPUS)
    return manager


@contextmanager
def progress(estimator: Any) -> Iterator[None]:
    """Show a bar on a terminal while an XGBoost estimator is fitted.

    The other estimators cannot tell how far they are.
    """
    if not hasattr(estimator, "get_booster") or not sys.stderr.isatty():
        yield
        return
    from xgboost.callback import TrainingCallback

    with tqdm(total=estimator.n_estimators, desc="boosting", unit="round") as bar:

        class Bar(TrainingCallback):
            def after_iteration(self, _model: Any, _epoch: int, _log: Any) -> bool:
                bar.update()
                return False

        estimator.set_params(callbacks=[Bar()])
        try:
            yield
        finally:
            estimator.set_params(callbacks=None)


def given_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of a fitted estimator that are plain values, for the manifest."""
    plain = (str, int, float, bool, type(None))
    try:
        found = estimator.get_params()
    except AttributeError:  # pickled by a version that had fewer parameters
        held = vars(estimator).items()
        found = {k: v for k, v in held if not k.startswith("_") and not k.endswith("_")}
    kept = {k: v for k, v in sorted(found.items()) if isinstance(v, plain)}
    # JSON has neither NaN nor infinity
    return {k: v for k, v in kept.items() if not isinstance(v, float) or math.isfinite(v)}


def _full_name(key: str, known: Mapping[str, Any], estimator: str) -> str:
    if key in known:
        return key
    for step in _NAMED:
        if f"{step}{key}" in known:
            return f"{step}{key}"
    steps = ("", "select", *(step.removesuffix("__") for step in _NAMED))
    plain = [name for name in known if name.rpartition("__")[0] in steps]
    short = {name.rpartition("__")[2] if name.startswith(_NAMED) else name for name in plain}
    own = sorted(short - _PIPELINE_WORDS)
    close = difflib.get_close_matches(key, own, n=1)
    meant = f", was '{close[0]}' meant?" if close else ""
    raise TrainingError(
        f"estimator '{estimator}' has no parameter '{key}'{meant}; it has: {', '.join(own)}"
    )
