"""Metrics and their intervals, beside scikit-learn's and by simulation."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from sklearn import metrics as others

from monitoring import metrics
from monitoring.metrics import Measured
from tests.support.chance import generator

RANDOM = generator(3)


def by_name(found: list[Measured]) -> dict[str, Measured]:
    return {one.metric: one for one in found}


def test_a_class_has_the_metrics_that_others_compute() -> None:
    """With ties in the score, at the threshold of 0.4."""
    score = np.round(RANDOM.random(2000), 2)
    actual = (RANDOM.random(2000) < score).astype(float)
    found = by_name(metrics.of_class(score, actual, 0.4))
    said = score >= 0.4
    assert found["auc"].value == pytest.approx(others.roc_auc_score(actual, score))
    assert found["brier"].value == pytest.approx(others.brier_score_loss(actual, score))
    assert found["accuracy"].value == pytest.approx(others.accuracy_score(actual, said))
    assert found["precision"].value == pytest.approx(others.precision_score(actual, said))
    assert found["recall"].value == pytest.approx(others.recall_score(actual, said))
    confusion = metrics.confusion(score, actual, 0.4)
    assert others.confusion_matrix(actual, said).ravel().tolist() == [
        confusion.true_negative, confusion.false_positive, confusion.false_negative,
        confusion.true_positive,
    ]  # fmt: skip
    assert all(one.low <= one.value <= one.high for one in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["rmse", "mae", "bias", "auc", "brier", "recall"])
def test_intervals_hold_what_they_promise(metric: str) -> None:
    """Of 300 samples of 400, between 91 and 98 % of the intervals hold the population's value."""
    held = 0
    score = RANDOM.beta(2, 3, 200_000)
    actual = (RANDOM.random(200_000) < score).astype(float)
    number = score + RANDOM.normal(0.1, 0.5, 200_000)

    def of(places: np.ndarray) -> Measured:
        if metric in ("rmse", "mae", "bias"):
            return by_name(metrics.of_numbers(score[places], number[places]))[metric]
        return by_name(metrics.of_class(score[places], actual[places], 0.5))[metric]

    whole = of(np.arange(200_000)).value
    for _ in range(300):
        one = of(RANDOM.integers(0, 200_000, 400))
        held += one.low <= whole <= one.high
    assert 0.91 <= held / 300 <= 0.98


def test_groups_are_told_by_their_sums() -> None:
    """As if each were measured by itself; what is missing belongs to none."""
    codes = RANDOM.integers(-1, 3, 900)
    score, actual = RANDOM.random(900), RANDOM.random(900)
    for code, sums in enumerate(metrics.by_group(codes, 3, score, actual)):
        inside = codes == code
        alone = by_name(metrics.of_numbers(score[inside], actual[inside]))
        for one in sums.metrics(is_class=False):
            assert one.value == pytest.approx(alone[one.metric].value)
            assert one.low == pytest.approx(alone[one.metric].low, rel=1e-6)
        [brier, _] = sums.metrics(is_class=True)
        assert brier.value == pytest.approx(alone["rmse"].value ** 2)


def test_groups_that_differ_are_told_from_those_that_do_not() -> None:
    """By the mean square of their errors."""
    codes = np.repeat([0, 1, 2], 500)
    error = RANDOM.normal(0, 1, 1500) * np.where(codes == 2, 2, 1)
    a, b, c = metrics.by_group(codes, 3, error, np.zeros(1500))
    assert a.unlike(b) > 0.01
    assert c.unlike(a) < 1e-6
    single = metrics.by_group(np.array([0]), 1, np.ones(1), np.zeros(1))[0]
    assert single.unlike(a) == 1.0
    assert single.metrics(is_class=False)[1].high == inf


def test_the_ends_of_what_can_be_said() -> None:
    """One class, one row, no error at all."""
    one = np.ones(1)
    assert metrics.auc(np.array([0.2, 0.4]), np.ones(2)) is None
    assert metrics.auc(np.array([0.2, 0.4]), np.array([0.0, 1.0])) == ("auc", 1.0, 0.0, 1.0)
    assert by_name(metrics.of_numbers(one, one))["bias"].high == inf
    assert "precision" not in by_name(metrics.of_class(np.array([0.1, 0.2]), np.ones(2), 0.5))
    assert metrics.worse_than(one, 0.0, 10) == 1.0
    assert metrics.worse_than(np.ones(50), 0.5, 10) == 0.0
    assert metrics.worse_than(np.ones(50), 1.5, 10) == 1.0
    same = metrics.by_group(np.repeat([0, 1], 5), 2, np.ones(10), np.zeros(10))
    assert same[0].unlike(same[1]) == 1.0


def test_calibration_is_by_tenths_of_the_rows() -> None:
    """The mean score and the mean truth of each, and between what that lies."""
    score = np.sort(RANDOM.random(1000))
    found = metrics.calibration(score, score, is_class=False)
    assert [one.rows for one in found] == [100] * 10
    assert found[3].actual == pytest.approx(score[300:400].mean())
    width = 1.96 * score[300:400].std(ddof=1) / sqrt(100)
    assert found[3].high == pytest.approx(found[3].actual + width)
    assert len(metrics.calibration(score[:4], np.ones(4), is_class=True)) == 4
