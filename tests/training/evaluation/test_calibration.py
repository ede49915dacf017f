"""Intervals of held-out errors: that they hold what they say they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scoring.artifact.calibration import FEWEST_ROWS, STEP, TAILS
from scoring.models import discover
from training.evaluation.calibration import calibrate
from training.evaluation.metrics import Values

RIDE, CHURN = discover()["ride"], discover()["churn"]


def drawn(rows: int, seed: int) -> tuple[pd.DataFrame, Values]:
    """Return made-up rides and their scores: errors are skewed, and grow with the score."""
    random = np.random.default_rng(seed)
    scores = random.uniform(1, 60, rows)
    truth = scores + scores / 10 * (random.gamma(2.0, 1.0, rows) - 1)
    return pd.DataFrame({"duration": truth}), scores


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.99])
def test_intervals_hold_the_share_that_they_say(level: float) -> None:
    """Of other rows from the same source, of long rides and of short ones; and hardly more."""
    found = calibrate(RIDE, "test", *drawn(20_000, 1))
    assert found is not None
    frame, scores = drawn(50_000, 2)
    place = round((1 - level) / 2 / STEP) - 1
    group = np.searchsorted(found.edges, scores, side="right")
    errors = frame["duration"].to_numpy() - scores
    inside = (errors >= np.array(found.below)[group, place]) & (
        errors <= np.array(found.above)[group, place]
    )
    assert inside.mean() == pytest.approx(level, abs=0.02)
    for long in (scores < 15, scores > 45):
        assert inside[long].mean() == pytest.approx(level, abs=0.04)


def test_what_it_is_made_of() -> None:
    """Twenty groups of like scores where there are rows for them; each with all its tails."""
    found = calibrate(RIDE, "validation", *drawn(20_000, 1))
    assert found is not None
    assert (found.split, found.rows) == ("validation", 20_000)
    assert len(found.edges) + 1 == len(found.below) == 20
    assert {len(errors) for errors in (*found.below, *found.above)} == {TAILS}


def test_few_rows_have_few_groups_and_fewer_none() -> None:
    """A group of less than 200 rows knows nothing of its outermost tail; too few are told."""
    said: list[str] = []
    frame, scores = drawn(FEWEST_ROWS, 1)
    found = calibrate(RIDE, "test", frame, scores, said.append)
    assert found is not None
    assert found.edges == []
    assert said == []
    assert calibrate(RIDE, "test", frame[1:], scores[1:], said.append) is None
    assert said == ["no prediction intervals: the test data has 199 rows; 200 are needed"]


def test_scores_of_few_values_share_groups() -> None:
    """What has one score cannot be parted."""
    frame, _ = drawn(5000, 1)
    scores = np.repeat([10.0, 20.0], [4900, 100])
    found = calibrate(RIDE, "test", frame, scores)
    assert found is not None
    assert found.edges == []


def test_a_classification_has_none() -> None:
    """Its score is a probability already."""
    frame = pd.DataFrame({"churn": [0, 1] * 500})
    assert calibrate(CHURN, "test", frame, np.full(1000, 0.5)) is None
