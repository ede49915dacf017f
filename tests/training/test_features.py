"""Features in bulk: the same as for one request."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from scoring.models import Model
from scoring.record import RecordReader
from tests.support import records
from training.features import features, narrow


def test_a_table_has_the_features_that_serving_makes(model: Model) -> None:
    """Row by row, in order, and of the same types: an id never becomes 10.0_50.0."""
    rows = records(model)
    reader = RecordReader(model.record)
    served = [dict(model.features(reader.one(row))) for row in rows]
    made = [dict(row) for row in features(pd.DataFrame(rows), model)]
    assert made == served
    assert [[type(v) for v in row.values()] for row in made] == [
        [type(v) for v in row.values()] for row in served
    ]


def test_other_columns_are_no_features(model: Model) -> None:
    """The target above all."""
    frame = pd.DataFrame(records(model))
    assert features(frame.assign(**{model.target: 1, "when": 2}), model) == features(frame, model)


def test_a_sparse_matrix_gets_short_indices() -> None:
    """Lasso and liblinear take no others."""
    made = csr_matrix(np.eye(3))
    made.indices, made.indptr = made.indices.astype("int64"), made.indptr.astype("int64")
    found = narrow(made)
    assert (found.indices.dtype, found.indptr.dtype) == (np.int32, np.int32)
    np.testing.assert_array_equal(found.toarray(), np.eye(3))


def test_a_dense_matrix_is_left_alone() -> None:
    """There is nothing to shorten."""
    made = np.eye(3)
    assert narrow(made) is made
