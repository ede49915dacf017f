"""The metrics, against values worked out by hand, and next to the trivial model's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.support import CHURN, RIDE
from training.errors import TrainingError
from training.evaluation import metrics as evaluation
from training.sources import source_of

# scores 0.9 0.8 0.4 0.3 0.1 for 1 0 1 0 0: five of the six pairs of a one and a zero are in order
TRUTH = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
SCORES = np.array([0.9, 0.8, 0.4, 0.3, 0.1])


def test_a_regression_has_rmse_mae_and_r2() -> None:
    """Errors 1, -1, 2 and 0 about a mean of 5."""
    found = evaluation.regression(np.array([2.0, 4.0, 6.0, 8.0]), np.array([3.0, 3.0, 8.0, 8.0]))
    assert found["rows"] == 4
    assert found["rmse"] == pytest.approx(math.sqrt((1 + 1 + 4 + 0) / 4))
    assert found["mae"] == pytest.approx(1.0)
    assert found["r2"] == pytest.approx(1 - 6 / 20)


def test_a_classification_has_auc_and_what_follows_from_the_threshold() -> None:
    """At 0.5: one true positive, one false one, two true negatives, one false one."""
    found = evaluation.classification(TRUTH, SCORES, 0.5)
    assert found["rows"] == 5
    assert found["auc"] == pytest.approx(5 / 6)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(1 / 2)
    assert found["recall"] == pytest.approx(1 / 2)
    assert found["confusion_matrix"] == [[2, 1], [1, 1]]
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.36 + 0.09 + 0.01) / 5)


def test_the_threshold_itself_is_positive() -> None:
    """As at the endpoint: probability >= threshold."""
    assert evaluation.classification(TRUTH, SCORES, 0.4)["confusion_matrix"] == [[2, 1], [0, 2]]
    assert evaluation.classification(TRUTH, SCORES, 0.41)["confusion_matrix"] == [[2, 1], [1, 1]]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_class_alone_has_no_auc(value: float) -> None:
    """There is no pair to order; the other metrics are there."""
    found = evaluation.classification(np.full(3, value), np.array([0.2, 0.4, 0.9]), 0.5)
    assert found["auc"] is None
    assert found["accuracy"] == pytest.approx(1 / 3 if value else 2 / 3)
    assert found["confusion_matrix"] == ([[0, 0], [2, 1]] if value else [[2, 1], [0, 0]])


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    """0, as nothing that was said was right."""
    found = evaluation.classification(TRUTH, np.full(5, 0.4), 0.5)
    assert (found["precision"], found["recall"]) == (0.0, 0.0)


def test_rides_have_the_error_by_distance() -> None:
    """Each band from its lower edge to below its upper; empty bands are left out."""
    frame = pd.DataFrame({"trip_distance": [0.0, 0.99, 1.0, 25.0], "duration": [5.0] * 4})
    scores = np.array([6.0, 8.0, 3.0, 5.0])
    bands = evaluation.evaluate(RIDE, source_of(RIDE), frame, scores, 0.5)["bands"]
    assert [band["band"] for band in bands] == [
        "trip_distance 0-1",
        "trip_distance 1-2",
        "trip_distance 20+",
    ]
    assert [band["rows"] for band in bands] == [2, 1, 1]
    assert bands[0]["rmse"] == pytest.approx(math.sqrt(5))
    assert [band["mae"] for band in bands] == [2.0, 2.0, 0.0]
    assert [band["bias"] for band in bands] == [2.0, -2.0, 0.0]


def test_a_source_without_bands_has_no_error_by_band() -> None:
    """Only where the source names a field to cut."""
    frame = pd.DataFrame({"duration": [5.0, 6.0]})
    found = evaluation.evaluate(RIDE, source_of(CHURN), frame, np.array([5.0, 5.0]), 0.5)
    assert set(found) == {"rows", "rmse", "mae", "r2"}


def test_churn_is_evaluated_as_a_classification() -> None:
    """With the threshold that is asked for, and how often each tenth of the probability came true,
    which a person sees too."""
    frame = pd.DataFrame({"churn": [1, 0, 1, 0, 0, 1]})
    scores = np.array([*SCORES, 1.0])
    found = evaluation.evaluate(CHURN, source_of(CHURN), frame, scores, 0.4)
    bands = found.pop("bands")
    assert found == evaluation.classification(frame["churn"].to_numpy(float), scores, 0.4)
    assert [(band["band"], band["rows"], band["actual"]) for band in bands] == [
        ("probability 0.1-0.2", 1, 0.0),
        ("probability 0.3-0.4", 1, 0.0),
        ("probability 0.4-0.5", 1, 1.0),
        ("probability 0.8-0.9", 1, 0.0),
        ("probability 0.9-1", 2, 1.0),
    ]
    assert bands[-1]["predicted"] == pytest.approx(0.95)
    text = evaluation.table({"test": {**found, "bands": bands}}, {"test": found}, "the class rate")
    assert text.endswith("0.9500 predicted   1.0000 came true        2 rows")


def test_the_trivial_model_is_the_mean_of_what_was_learned_from() -> None:
    """The mean duration, the rate of churn: of the training, not of the data judged on."""
    rides = evaluation.baseline_scores(pd.DataFrame({"duration": [10.0, 20.0]}), RIDE, 3)
    assert rides.tolist() == [15.0, 15.0, 15.0]
    churn = evaluation.baseline_scores(pd.DataFrame({"churn": [1, 0, 0, 0]}), CHURN, 2)
    assert churn.tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("found", "baseline", "better"),
    [(4.9, 5.0, True), (5.0, 5.0, False), (5.1, 5.0, False), (math.nan, 5.0, False)],
)
def test_a_regression_must_have_the_smaller_rmse(
    found: float, baseline: float, better: bool
) -> None:
    """As good as the mean is not better."""
    assert evaluation.beats(RIDE, {"rmse": found}, {"rmse": baseline}) is better


@pytest.mark.parametrize(
    ("auc", "brier", "better"),
    [(0.8, 0.1, True), (0.8, 0.2, False), (0.5, 0.1, False), (None, 0.1, False)],
)
def test_a_classification_must_order_and_be_calibrated(
    auc: float | None, brier: float, better: bool
) -> None:
    """An AUC above 0.5, and a Brier score below the class rate's."""
    assert evaluation.beats(CHURN, {"auc": auc, "brier": brier}, {"brier": 0.2}) is better


def test_folds_hold_each_row_out_once() -> None:
    """Every fold is judged on rows that it has not seen; mean and deviation are over the folds."""
    frame = pd.DataFrame({"duration": np.arange(12.0)})
    held: list[float] = []

    def fit_and_score(training: pd.DataFrame, held_out: pd.DataFrame) -> Any:
        assert not set(training["duration"]) & set(held_out["duration"])
        assert len(training) == 9
        held.extend(held_out["duration"])
        return held_out["duration"].to_numpy() + len(held)  # off by 3, 6, 9 and 12

    found = evaluation.cross_validate(RIDE, frame, 4, 1, fit_and_score)
    assert sorted(held) == list(range(12))
    assert found["metric"] == "rmse"
    assert found["folds"] == pytest.approx([3, 6, 9, 12])
    assert found["mean"] == pytest.approx(7.5)
    assert found["std"] == pytest.approx(math.sqrt(11.25))


@pytest.mark.slow
def test_the_seed_shuffles_the_folds() -> None:
    """The same seed holds out the same rows."""

    def first_fold(seed: int) -> list[int]:
        folds: list[list[int]] = []

        def fit_and_score(_training: pd.DataFrame, held_out: pd.DataFrame) -> Any:
            folds.append(held_out["number"].tolist())
            return held_out["churn"].to_numpy(dtype=float)

        frame = pd.DataFrame({"number": range(60), "churn": [0, 1, 0] * 20})
        found = evaluation.cross_validate(CHURN, frame, 3, seed, fit_and_score)
        assert (found["metric"], found["folds"]) == ("auc", [1.0, 1.0, 1.0])
        return folds[0]

    assert first_fold(1) == first_fold(1)
    assert first_fold(1) != first_fold(2)


def test_more_folds_than_rows_are_refused() -> None:
    """With both numbers."""
    frame = pd.DataFrame({"duration": np.arange(3.0)})
    with pytest.raises(TrainingError, match=r"^4 folds of 3 rows; at least one row each is expe"):
        evaluation.cross_validate(RIDE, frame, 4, 1, lambda _, held: np.zeros(len(held)))


def test_a_fold_of_one_class_is_refused() -> None:
    """It has no AUC: fewer folds are the remedy."""
    frame = pd.DataFrame({"churn": [0, 1] * 5})
    with pytest.raises(TrainingError) as caught:
        evaluation.cross_validate(CHURN, frame, 10, 1, lambda _, held: np.zeros(len(held)))
    assert str(caught.value) == (
        "one of 10 folds, of 1 rows, holds one class of churn only; both are expected: "
        "take fewer folds"
    )


def test_a_person_sees_the_trivial_model_beside_ours() -> None:
    """Metrics of every part, then the bands."""
    frame = pd.DataFrame({"trip_distance": [0.5, 1.5], "duration": [5.0, 7.0]})
    ours = evaluation.evaluate(RIDE, source_of(RIDE), frame, np.array([5.0, 8.0]), 0.5)
    mean = evaluation.evaluate(RIDE, source_of(RIDE), frame, np.array([6.0, 6.0]), 0.5)
    lines = evaluation.table({"test": ours}, {"test": mean}, "the mean").splitlines()
    assert lines[0].split() == ["test", "(2", "rows)", "model", "the", "mean"]
    assert lines[1].split() == ["rmse", f"{math.sqrt(0.5):.6f}", "1.000000"]
    assert lines[2].split() == ["mae", "0.500000", "1.000000"]
    assert lines[3].split() == ["r2", "0.500000", "0.000000"]
    assert " ".join(lines[5].split()) == "trip_distance 1-2 1.000000 rmse 1.0000 bias 1 rows"


def test_the_columns_of_all_parts_stand_below_each_other() -> None:
    """However long the name of a part, of a class or of a band is."""
    ours = {"rows": 2, "rmse": 1.0, "bands": [{"band": "kilometres_by_bicycle 10-20", "rmse": 2.0,
            "bias": 0.5, "rows": 2}]}  # fmt: skip
    found = {"validation": {**ours, "rows": 123456}, "test": ours}
    lines = evaluation.table(found, found, "the mean").splitlines()
    heads = [line for line in lines if line.endswith("the mean")]
    assert len({line.index("model") for line in heads}) == 1
    ends = {line.index("model") + len("model") for line in heads}
    assert ends == {line.index("1.000000") + 8 for line in lines if "  rmse" in line}
    assert ends == {line.index("2.000000") + 8 for line in lines if "bicycle" in line}


def test_a_person_sees_the_confusion_matrix() -> None:
    """Negatives in the first row."""
    found = {"validation": evaluation.classification(TRUTH, SCORES, 0.5)}
    text = evaluation.table(found, found, "the class rate")
    assert "  confusion matrix    [[2, 1], [1, 1]]" in text.splitlines()


def test_a_metric_that_there_is_not_is_left_out() -> None:
    """One class alone: no line for the AUC."""
    found = {"test": evaluation.classification(np.zeros(2), np.array([0.1, 0.2]), 0.5)}
    text = evaluation.table(found, found, "the class rate")
    assert "auc" not in text
    assert "brier" in text
