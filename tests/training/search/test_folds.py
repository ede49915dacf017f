"""Rows in folds: by time, or each class in the same share."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.models import Model
from tests.flowers import FLOWERS
from tests.training.support import CHURN, RIDE, rows_of, table
from training.contest import Candidate
from training.data.checks import check
from training.errors import TrainingError
from training.fit.features import transform
from training.search import folds
from training.sources import WHEN, source_of


def checked(model: Model, rows: int = 400) -> pd.DataFrame:
    source = source_of(model)
    return check(table(source.tidy(rows_of(model, rows))), model, source).frame


def test_dated_rows_are_judged_on_by_a_model_of_the_past() -> None:
    """Each fold ends before the rows that it is judged on; the blocks are in order of time."""
    frame = folds.ordered(checked(RIDE).sample(frac=1, random_state=1))
    parts = folds.cut(frame, RIDE, 1)
    assert len(parts) == 3
    for part in parts:
        assert frame[WHEN].iloc[part.learned].max() < frame[WHEN].iloc[part.judged].min()
        assert np.diff(part.blocks).min() == 0
        assert np.bincount(part.blocks).tolist() == [25, 25, 25, 25]
    assert len(folds.weights(parts)) == 12
    assert folds.weights(parts).sum() == pytest.approx(1)


@pytest.mark.slow
def test_other_rows_have_each_class_in_the_same_share() -> None:
    """In each fold and each block, and each row is judged on once."""
    frame = folds.ordered(checked(CHURN))
    parts = folds.cut(frame, CHURN, 1)
    assert sorted(np.concatenate([part.judged for part in parts])) == list(range(400))
    rate = frame["churn"].mean()
    for part in parts:
        for block in (0, 1):
            own = frame["churn"].iloc[part.judged[part.blocks == block]]
            assert own.mean() == pytest.approx(rate, abs=1.5 / len(own))
    other = folds.cut(frame, CHURN, 2)
    assert not np.array_equal(parts[0].judged, other[0].judged)


def test_numbers_without_a_time_are_shuffled() -> None:
    """Five folds of two blocks."""
    frame = checked(RIDE).drop(columns=WHEN)
    parts = folds.cut(folds.ordered(frame), RIDE, 1)
    assert [sorted(set(part.blocks)) for part in parts] == [[0, 1]] * 5


@pytest.mark.slow
def test_too_few_rows_are_refused() -> None:
    """And too few of a class."""
    with pytest.raises(TrainingError, match=r"^a search needs 60 rows or more; there are 40$"):
        folds.cut(checked(RIDE)[:40], RIDE, 1)
    frame = checked(CHURN)
    few = frame.assign(churn=[1.0] * 9 + [0.0] * (len(frame) - 9))
    with pytest.raises(TrainingError, match=r"10 rows or more of each class; one has 9$"):
        folds.cut(few, CHURN, 1)


def test_a_loss_is_shown_as_the_deciding_metric() -> None:
    """RMSE, AUC, Brier score."""
    blocks = np.array([0, 0, 1, 1])
    truth, scores = np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 3, 4])
    assert folds.losses(RIDE, truth, scores, blocks) == [2.0, 0.0]
    assert folds.shown(RIDE, 4.0) == 2.0
    found = folds.losses(CHURN, np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.6, 0.4]), blocks)
    assert found == [0.0, 1.0]
    assert folds.shown(CHURN, 0.25) == 0.75
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert folds.losses(FLOWERS, np.array([0, 1, 1, 0]), sure, blocks) == [0.0, 0.5]
    assert folds.shown(FLOWERS, 0.3) == 0.3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ridge", "boosting"])
def test_features_are_those_of_a_training_and_mapped(name: str, tmp_path: Path) -> None:
    """Fitted on what a fold learns from; arrays are views of the file, not copies. Steps before the
    last are done already."""
    source = source_of(RIDE)
    frame = folds.ordered(checked(RIDE))
    parts = folds.cut(frame, RIDE, 1)
    made = Candidate.of(RIDE, source, name, {}, 1)
    folds.prepare(tmp_path, frame, parts, RIDE, source, [made])
    for number, part in enumerate(parts):
        found = folds.read(tmp_path, number, name)
        values: Any = getattr(found.x, "data", found.x) if name == "ridge" else found.x
        assert isinstance(values if values.base is None else values.base, mmap.mmap | np.memmap)
        assert found.y.tolist() == frame["duration"].iloc[part.learned].tolist()
        assert found.truth.tolist() == frame["duration"].iloc[part.judged].tolist()
    vectorizer, head = folds.read_pair(tmp_path, name)
    x = transform(vectorizer, frame.iloc[parts[-1].judged], RIDE)
    expected = x if head is None else head.transform(x)
    difference = expected - found.judged_x
    assert abs(difference).max() == 0
    assert (head is None) == (name == "ridge")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is free, and where."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("joblib.dump", full)
    frame = folds.ordered(checked(RIDE))
    made = [Candidate.of(RIDE, source_of(RIDE), "ridge", {}, 1)]
    with pytest.raises(TrainingError, match=r"No space left on device; \d+ MB are free$"):
        folds.prepare(tmp_path, frame, folds.cut(frame, RIDE, 1), RIDE, source_of(RIDE), made)
