"""How each model's published files are read, and what is special about its data.

A model whose data is published in another shape than its record, or that has a bundled sample, has
a module of its own here, named after the model, that ends in `SOURCE = Source(...)`. The files of
any other model (CSV or Parquet) hold the record's fields and the target as columns.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
from pandas.api.types import is_numeric_dtype

from scoring.models import Model
from training.sketch.names import identifier

# An optional column next to the fields and the target: when the record was known. Rows that have it
# are split by time.
WHEN = "when"


@dataclass(frozen=True)
class Source:
    """How one model's published files are read.

    `tidy` maps the file's columns to the record's fields, the target and, for a split by time,
    WHEN. It works row by row, because it may be called with a slice of a file, and may mark an
    unusable value as missing.
    """

    tidy: Callable[[pd.DataFrame], pd.DataFrame]
    columns: tuple[str, ...] = ()  # all that `tidy` reads of a Parquet file; empty: every column
    target_range: tuple[float, float] | None = None  # least and largest target used for training
    sample: Path | None = None  # the bundled data
    bands: tuple[str, tuple[float, ...]] | None = None  # field and edges for the error by segment
    months: bool = False  # whether it can be downloaded by month
    # an estimator of a regression that takes the default's place where it is better on the data
    contender: str | None = None
    sparse: bool = True  # whether one-hot columns are too many for a dense matrix


_CLASSES: Final = {"yes": 1, "no": 0, "true": 1, "false": 0, "y": 1, "n": 0, "t": 1, "f": 0,
                   "1": 1, "0": 0, "1.0": 1, "0.0": 0}  # fmt: skip


def _as_fields(frame: pd.DataFrame, *, model: Model) -> pd.DataFrame:
    """Return a table with the columns named like the fields that stand for them (`Annual Income` is
    `Annual_Income`), and with two classes in words as 1 and 0."""
    names = {identifier(str(column)): column for column in frame.columns}
    turned = {
        names[field]: field
        for field in model.record.model_fields
        if field not in frame and field in names
    }
    frame = frame.rename(columns=turned)
    target = frame.get(model.target)
    if (
        model.task != "classification"
        or model.classes
        or target is None
        or is_numeric_dtype(target)
    ):
        return frame
    words = target.astype("object").map(lambda value: str(value).strip().lower())
    classes = words.map(_CLASSES)
    known = classes.notna() | target.isna()
    return frame.assign(**{model.target: classes}) if known.all() else frame


def source_of(model: Model) -> Source:
    """Return the model's own source, or one that takes the columns of its files as they are."""
    name = f"{__name__}.{model.name}"
    if importlib.util.find_spec(name) is None:
        return Source(tidy=partial(_as_fields, model=model))
    source: Source = importlib.import_module(name).SOURCE
    return source
