"""Boosting on what is known of categories: for each the mean of the target, the number of its rows,
and the mean of every number among them.

A tree needs many questions to tell thirteen thousand pairs of zones apart one by one; behind a
number that says how long rides between them take it needs one. The mean of a category with few rows
is drawn to the mean of all, as far as the rows' variance says (TargetEncoder, `smooth="auto"`), and
what a row is encoded with while the trees learn is made of the other folds alone: else they would
trust a mean that holds the row's own truth. How many rows stand behind a mean tells how far to
trust it, and how long a ride between two zones usually is, whether this one makes a detour. All
parts are scikit-learn's own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, TargetEncoder
from sklearn.utils.extmath import safe_sparse_dot
from threadpoolctl import threadpool_limits

_CODES: Final = "codes"
_COLUMNS: Final = "columns"
FOLDS: Final = "columns__means__cv"  # the parameter that says how rows are put into folds
_DRAWN: Final = 3.0  # rows of the mean of all that each mean of a number begins with


def means(boosting: Any) -> Pipeline:
    """Return the estimator; `tell_columns` has to be called before it is fitted."""
    encoder = TargetEncoder(target_type="continuous")
    columns = ColumnTransformer([("means", encoder, []), ("numbers", "passthrough", [])])
    codes = FunctionTransformer(safe_sparse_dot, accept_sparse=True)
    return Pipeline([(_CODES, codes), (_COLUMNS, columns), ("boosting", boosting)])


def threads(estimator: Any) -> AbstractContextManager[Any]:
    """Let an estimator of `means` be fitted by one thread within the block: for a dozen columns
    several wait for each other longer than they work, on a busy machine for minutes."""
    if _COLUMNS not in getattr(estimator, "named_steps", ()):
        return nullcontext()
    alone: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return alone


def tell_columns(estimator: Any, vectorizer: DictVectorizer, x: Any) -> None:
    """Tell an estimator of `means` which of the fitted vectorizer's columns are one category's, and
    what the training rows `x`, (n_rows, n_columns), say of each; leave any other as it is.

    A row times the matrix of codes is, for each category, the place of its value, counted from 1,
    the logarithm of one more than its rows, and how far the mean of each number lies from the mean
    of all; of a value that training never saw these are zeros. The numbers follow as they are.
    """
    if _COLUMNS not in getattr(estimator, "named_steps", ()):
        return
    names = [name.partition(vectorizer.separator) for name in vectorizer.feature_names_]
    heads = list(dict.fromkeys(head for head, found, _ in names if found))
    numbers = [row for row, (_, found, _) in enumerate(names) if not found]
    rows = np.asarray(x.sum(axis=0), dtype=np.float64).ravel()  # of a category's value
    sums = safe_sparse_dot(x.T, x[:, numbers], dense_output=True)  # (n_columns, n_numbers)
    mean = rows[numbers] / x.shape[0]
    drawn = (sums + _DRAWN * mean) / (rows[:, None] + _DRAWN) - mean
    codes: list[Any] = []
    known: list[Any] = []
    for head in heads:
        of = np.array([found != "" and name == head for name, found, _ in names])
        codes.append(np.where(of, np.cumsum(of), 0.0))
        known += [np.where(of, np.log1p(rows), 0.0), *np.where(of[:, None], drawn, 0.0).T]
    known += [np.arange(len(names)) == row for row in numbers]
    matrix = np.column_stack([*codes, *known]).astype(np.float64)
    estimator.named_steps[_CODES].set_params(kw_args={"b": matrix})
    places = [*range(len(codes))], [*range(len(codes), matrix.shape[1])]
    columns = estimator.named_steps[_COLUMNS]
    parts = zip(columns.transformers, places, strict=True)
    columns.set_params(transformers=[(name, how, of) for (name, how, _), of in parts])
