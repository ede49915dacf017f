"""The expected error, before any truth is there."""

from __future__ import annotations

import numpy as np
import pytest

from monitoring.estimate import estimate
from scoring.profiles.numbers import Numbers
from scoring.profiles.performance import measure

RANDOM = np.random.default_rng(11)


def test_longer_trips_are_expected_to_be_off_by_more() -> None:
    """Where the error grows with the score: as much as it then is."""
    scores = RANDOM.lognormal(2.5, 0.5, 40_000)
    truth = scores + RANDOM.normal(0, 0.3 * scores)
    measured = measure("test", scores, truth, Numbers.of(scores, 6), {})
    same = estimate(measured, Numbers.of(scores[:5000], 6), is_class=False)
    longer = RANDOM.lognormal(2.8, 0.5, 5000)
    more = estimate(measured, Numbers.of(longer, 5), is_class=False)
    assert same is not None
    assert more is not None
    assert same.expected == pytest.approx(same.was, rel=0.05)
    realised = float(np.sqrt(np.mean(RANDOM.normal(0, 0.3 * longer) ** 2)))
    assert more.expected == pytest.approx(realised, rel=0.12)
    assert more.expected > 1.2 * same.expected


def test_a_calibrated_probability_has_its_brier_score() -> None:
    """Nearer to a half, it is larger."""
    scores = RANDOM.beta(2, 5, 40_000)
    truth = (RANDOM.random(40_000) < scores).astype(float)
    measured = measure("test", scores, truth, Numbers.of(scores, 6), {})
    undecided = RANDOM.beta(20, 20, 5000)
    found = estimate(measured, Numbers.of(undecided, 6), is_class=True)
    assert found is not None
    assert found.metric == "brier"
    assert found.expected == pytest.approx(float(np.mean(undecided * (1 - undecided))), rel=0.05)


def test_nothing_has_no_estimate() -> None:
    """No prediction, no error."""
    scores = RANDOM.random(100)
    measured = measure("test", scores, scores, Numbers.of(scores, 5), {})
    assert estimate(measured, Numbers.of(np.zeros(0), 5), is_class=True) is None
