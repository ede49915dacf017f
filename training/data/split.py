"""Splits rows into training, validation and test: by time, or stratified by class."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sklearn.model_selection import train_test_split

from scoring.models import Model
from training.errors import TrainingError
from training.sources import WHEN

_SHARES = (0.6, 0.2)  # training, validation; the rest is the test
_PER_CLASS = 5  # so that each part has at least one row of each class


@dataclass(frozen=True)
class Splits:
    """The rows of each part; None for a part that there is not."""

    training: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame | None = None
    # both of the first in the order they were drawn from, which a published result may depend on
    learnable: pd.DataFrame | None = None

    def together(self) -> pd.DataFrame:
        """Return the training and the validation rows."""
        if self.learnable is not None:
            return self.learnable
        return pd.concat([self.training, self.validation], ignore_index=True)

    def parts(self) -> dict[str, pd.DataFrame]:
        """Return the parts by name."""
        named = {"training": self.training, "validation": self.validation, "test": self.test}
        return {name: frame for name, frame in named.items() if frame is not None}


def split(frame: pd.DataFrame, model: Model, seed: int) -> Splits:
    """Return `training`, `validation` and `test` (60, 20 and 20 %).

    Rows with a time are split by it, because the model will be asked about the future. Others are
    drawn at random with `seed`, each class in the same share. Raises TrainingError where a class
    has too few rows.
    """
    if WHEN in frame.columns:
        ordered = frame.sort_values(WHEN, kind="stable", ignore_index=True)
        first = int(len(ordered) * _SHARES[0])
        second = int(len(ordered) * sum(_SHARES))
        return Splits(ordered[:first], ordered[first:second], ordered[second:])
    classes = model.task == "classification"
    if classes:
        counts = frame[model.target].value_counts()
        if model.classes:
            counts = counts.reindex(model.classes, fill_value=0)
        if (fewest := int(counts.min())) < _PER_CLASS:
            which = f"'{counts.idxmin()}'" if model.classes else "one of its values"
            raise TrainingError(
                f"column {model.target}: {which} has {fewest} rows; to split them, at least "
                f"{_PER_CLASS} of each are expected"
            )
    training, rest = train_test_split(
        frame,
        train_size=_SHARES[0],
        random_state=seed,
        stratify=frame[model.target] if classes else None,
    )
    validation, test = train_test_split(
        rest, train_size=0.5, random_state=seed, stratify=rest[model.target] if classes else None
    )
    return Splits(training, validation, test)


def published_split(frame: pd.DataFrame) -> Splits:
    """Return the split of Machine Learning Bookcamp, chapter 3.

    20 % are the test (seed 1), then 33 % of the rest the validation (seed 11).
    """
    rest, test = train_test_split(frame, test_size=0.2, random_state=1)
    training, validation = train_test_split(rest, test_size=0.33, random_state=11)
    return Splits(training, validation, test, learnable=rest)
