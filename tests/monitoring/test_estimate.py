"""The expected error, before any truth is there."""

from __future__ import annotations

import numpy as np
import pytest

from monitoring import metrics
from monitoring.estimate import estimate, expected
from scoring.profiles.numbers import Numbers
from scoring.profiles.performance import measure
from tests.support.chance import generator

RANDOM = generator(11)


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


@pytest.mark.parametrize("over", [0.0, 0.15], ids=["calibrated", "says too much"])
def test_what_depends_on_a_threshold_is_expected_of_a_class(over: float) -> None:
    """AUC, confusion and what follows from it are those that come true, within their interval,
    also where the scores are off in the way that they were on the held-out rows."""

    def drawn(a: float, b: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
        chance = RANDOM.beta(a, b, rows)
        return chance + over * (1 - chance), (RANDOM.random(rows) < chance).astype(float)

    scores, truth = drawn(2, 5, 60_000)
    held_out = Numbers.of(scores, 6)
    measured = measure("test", scores, truth, held_out, {})
    now, came = drawn(3, 3, 20_000)
    found = expected(measured, held_out, Numbers.of(now, 6), is_class=True, threshold=0.5)
    assert found is not None
    assert found.confusion is not None
    real = {one.metric: one.value for one in metrics.of_class(now, came, 0.5)}
    assert [one.metric for one in found.metrics] == ["brier", "auc", "accuracy", "precision",
                                                     "recall"]  # fmt: skip
    for one in found.metrics:
        assert one.expected == pytest.approx(real[one.metric], abs=one.within + 0.02), one
    was = {one.metric: one.value for one in metrics.of_class(scores, truth, 0.5)}
    assert all(one.was == pytest.approx(was[one.metric], abs=0.02) for one in found.metrics)
    assert sum(found.confusion) == pytest.approx(20_000, abs=2)
    for told, true in zip(found.confusion, metrics.confusion(now, came, 0.5), strict=True):
        assert told == pytest.approx(true, rel=0.06)
    number = expected(measured, held_out, held_out, is_class=False)
    assert number is not None
    assert [one.metric for one in number.metrics] == ["rmse"]


def test_the_accuracy_of_three_classes_is_expected() -> None:
    """The score is how likely the class is that is said: as often as that, it is right; and here it
    says so a tenth too often, as it did on the held-out rows."""

    def drawn(a: float, b: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
        scores = 0.34 + 0.66 * RANDOM.beta(a, b, rows)
        return scores, (RANDOM.random(rows) < 0.9 * scores).astype(float)

    scores, truth = drawn(2, 2, 60_000)
    held_out = Numbers.of(scores, 6)
    measured = measure("test", scores, truth, held_out, {})
    now, came = drawn(2, 6, 20_000)
    found = expected(measured, held_out, Numbers.of(now, 6), is_class=True)
    assert found is not None
    assert found.confusion is None
    brier, accuracy = found.metrics
    assert (brier.metric, accuracy.metric) == ("brier", "accuracy")
    assert accuracy.expected == pytest.approx(came.mean(), abs=0.01)
    assert accuracy.was == pytest.approx(truth.mean(), abs=0.01)
    assert 0.005 < accuracy.within < 0.01


def test_nothing_has_no_estimate() -> None:
    """No prediction, no error."""
    scores = RANDOM.random(100)
    measured = measure("test", scores, scores, Numbers.of(scores, 5), {})
    assert estimate(measured, Numbers.of(np.zeros(0), 5), is_class=True) is None
