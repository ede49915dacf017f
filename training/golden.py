"""Records to try a model on: its example, and rows from all over a table."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pandas as pd

from scoring.errors import InvalidRecords
from scoring.models import Model
from scoring.record import RecordReader


def golden_records(frame: pd.DataFrame, model: Model, rows: int = 8) -> list[dict[str, Any]]:
    """Return the example and the valid ones of `rows` rows, evenly spaced, as JSON has them.

    Data prepared as published holds a few rows that are no valid records.
    """
    reader = RecordReader(model.record)
    places = np.linspace(0, len(frame) - 1, rows).astype(int)
    golden = [dict(model.example)]
    for row in frame.iloc[places][list(model.record.model_fields)].to_dict("records"):
        with contextlib.suppress(InvalidRecords):
            golden.append(reader.one(row).model_dump(mode="json"))
    return golden
