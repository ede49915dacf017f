"""Which categories the training's records had most often."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from scoring.compiler import encoders
from scoring.models import Features, Model
from training.fit.combinations import columns


def often(frame: pd.DataFrame, model: Model, estimator: Any) -> list[Features]:
    """Return the combinations of categories among the features of checked rows, those of the most
    rows first, each with the texts by name; none for an estimator whose compiled form has no use
    for them."""
    if not encoders.is_encoded(estimator):
        return []
    texts = {}
    places = []
    for name, column in columns(frame, model).items():
        if column.codes is not None and all(isinstance(value, str) for value in column.values):
            texts[name] = column.values
            places.append(column.codes)
    if not texts:
        return []
    rows, counts = np.unique(np.stack(places, axis=1), axis=0, return_counts=True)
    found: Counter[tuple[str, ...]] = Counter()
    for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
        found[tuple(of[code] for of, code in zip(texts.values(), row, strict=True))] += count
    return [dict(zip(texts, values, strict=True)) for values, _ in found.most_common()]
