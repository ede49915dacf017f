"""Make a matrix of a table, with the features that the model's own code makes of each record.

A table is read column by column. `model.features` is called once for each distinct combination of
the fields that it looks into; a field that it only passes on, such as a distance, stays a column:

    rows +-> combinations of fields looked into -> model.features -> names +-> matrix
         +-> fields passed on ---------------------------------------------+
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.feature_extraction import DictVectorizer

from scoring.models import Features, Model
from training.fit.combinations import ABSENT, Column, columns


def features(frame: pd.DataFrame, model: Model) -> list[Features]:
    """Return one mapping a row, in order, made by the function that serving calls.

    The rows must have been checked: they are not validated again. This is for few rows; `transform`
    is for many.
    """
    rows = frame[list(model.record.model_fields)].to_dict("records")
    make, record = model.features, model.record
    return [make(record.model_construct(**{str(k): v for k, v in row.items()})) for row in rows]


def fit_transform(vectorizer: DictVectorizer, frame: pd.DataFrame, model: Model) -> Any:
    """Fit `vectorizer` and return the matrix of the table, (n_rows, n_features) float64, in order.

    Both are what its own `fit_transform(features(frame, model))` makes, for a vectorizer that sorts
    its names, which is the default.
    """
    made = columns(frame, model)
    # scikit-learn takes a list of texts for a name: each becomes a column, as if one a row
    vectorizer.fit([{name: part} for name, column in made.items() for part in _kinds(column)])
    return _matrix(vectorizer, made, len(frame))


def transform(vectorizer: DictVectorizer, frame: pd.DataFrame, model: Model) -> Any:
    """Return the matrix of the table, (n_rows, n_features) float64, sparse if the vectorizer is.

    It is what the fitted vectorizer's own `transform(features(frame, model))` makes; categories
    that it never saw are left out.
    """
    return _matrix(vectorizer, columns(frame, model), len(frame))


def narrow(x: Any) -> Any:
    """Return the matrix with 32-bit indices where it is sparse.

    Lasso and liblinear take no others, and a table here has fewer than two thousand million
    entries.
    """
    if issparse(x):
        x.indices = x.indices.astype(np.int32, copy=False)
        x.indptr = x.indptr.astype(np.int32, copy=False)
    return x


def _kinds(column: Column) -> list[Any]:
    """Return what a vectorizer must see of a column to know all its names: its texts, a number."""
    if column.codes is None:
        return [0.0]
    texts = [value for value in column.values if isinstance(value, str)]
    numbers = (v for v in column.values if v is not ABSENT and not isinstance(v, str))
    return [*([texts] if texts else []), *islice(numbers, 1)]


def _matrix(vectorizer: DictVectorizer, made: dict[str, Column], rows: int) -> Any:
    """Return one entry a row and column of `made`, in the order of the matrix's own columns."""
    names = vectorizer.vocabulary_
    indices = np.empty((rows, len(made)), dtype=np.int32)
    data = np.empty((rows, len(made)), dtype=vectorizer.dtype)
    for place, (name, column) in enumerate(sorted(made.items())):
        indices[:, place], data[:, place] = _entries(name, column, vectorizer)
    known = indices >= 0
    if not vectorizer.sparse:
        x = np.zeros((rows, len(names)), dtype=vectorizer.dtype)
        row, of = known.nonzero()
        x[row, indices[row, of]] = data[row, of]
        return x
    if known.all():
        ends = np.arange(0, indices.size + 1, len(made), dtype=np.int32)
        parts = data.ravel(), indices.ravel()
    else:
        ends = np.concatenate([[0], known.sum(axis=1).cumsum()]).astype(np.int32)
        parts = data[known], indices[known]
    x = _sparse(vectorizer)((*parts, ends), shape=(rows, len(names)))
    x.sort_indices()
    return x


def _sparse(vectorizer: DictVectorizer) -> Any:
    """Return the class of its matrices, which a setting of scikit-learn decides."""
    return type(vectorizer.transform({}))


def _entries(name: str, column: Column, vectorizer: DictVectorizer) -> tuple[Any, Any]:
    """Return the matrix's column (-1: none) and the entry of each row, or one for all rows."""
    known, text = vectorizer.vocabulary_, f"{name}{vectorizer.separator}"
    if column.codes is None:
        return known.get(name, -1), column.values
    if set(map(type, column.values)) == {str}:  # by far the most, where there are many
        places = [known.get(text + value, -1) for value in column.values]
        return np.array(places, dtype=np.int32)[column.codes], 1
    places, entries = [], []
    for value in column.values:
        is_text = isinstance(value, str)
        places.append(-1 if value is ABSENT else known.get(text + value if is_text else name, -1))
        entries.append(1 if is_text or value is ABSENT else value)
    numbers = np.array(entries, dtype=vectorizer.dtype)
    return np.array(places, dtype=np.int32)[column.codes], numbers[column.codes]
