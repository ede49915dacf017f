"""From a table to the features that the model's own code makes of each record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from scoring.models import Features, Model


def features(frame: pd.DataFrame, model: Model) -> list[Features]:
    """Gives one mapping a row, in order, made by the function that serving calls. The rows must
    have been checked: they are not validated again."""
    rows = frame[list(model.record.model_fields)].to_dict("records")
    make, record = model.features, model.record
    return [make(record.model_construct(**{str(k): v for k, v in row.items()})) for row in rows]


def narrow(x: Any) -> Any:
    """Gives the matrix with 32-bit indices where it is sparse: Lasso and liblinear take no others,
    and no table here has two thousand million entries."""
    if issparse(x):
        x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)
    return x
