"""`monitoring score`: what serves, on new labelled rows, and groups of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitoring.fairness import by_field
from monitoring.kept import SEGMENT
from monitoring.outcomes import Outcomes
from tests.support.chance import generator
from tests.training.support import CHURN, RIDE, data_of, rows_of, silent
from training.run import train

Run = Callable[..., Any]
slow = pytest.mark.slow
RANDOM = generator(8)


def groups(rows: int, selected: dict[str, float], **more: Any) -> Outcomes:
    """Return predictions of a class by group, each said with this probability."""
    names = np.repeat(list(selected), rows)
    score = (RANDOM.random(len(names)) < np.repeat(list(selected.values()), rows)).astype(float)
    actual = more.get("actual", np.full(len(names), np.nan))
    table = pa.table({SEGMENT + "gender": pa.array(names.tolist())})
    return Outcomes(np.zeros(len(names), np.int64), score, actual, table)


def test_groups_that_are_answered_otherwise_are_named() -> None:
    """With the rate of each before any truth is known, and the ratio of the smallest to the
    largest; alike groups are not named."""
    found = by_field(groups(500, {"female": 0.2, "male": 0.4}), "gender", 0.5)
    rates = {one.name: one.metrics[0] for one in found.groups}
    assert rates["female"].value == pytest.approx(0.2, abs=0.05)
    assert rates["female"].low < rates["female"].value < rates["female"].high
    assert set(found.apart) == {"female", "male"}
    assert found.ratio == pytest.approx(rates["female"].value / rates["male"].value)
    assert "the rates of" in found.sentence
    assert f"{found.ratio:.0%} of the largest" in found.sentence
    alike = by_field(groups(500, {"female": 0.3, "male": 0.3}), "gender", 0.5)
    assert alike.apart == []
    assert "no group's rates differ" in alike.sentence


def test_errors_of_groups_are_of_what_is_known() -> None:
    """Rates of true and false positives; of a number, the error."""
    actual = np.tile([1.0, 0.0, np.nan, 1.0], 250)
    some = groups(500, {"female": 1.0, "male": 0.0}, actual=actual)
    female, male = by_field(some, "gender", 0.5).groups
    assert {one.metric: one.value for one in female.metrics}["true_positive_rate"] == 1.0
    assert {one.metric: one.value for one in male.metrics}["false_positive_rate"] == 0.0
    found = by_field(some, "gender", None)
    assert [one.metric for one in found.groups[0].metrics] == ["mean", "rmse", "bias"]
    assert set(found.apart) == {"female", "male"}
    assert "the errors of" in found.sentence


def test_a_field_that_is_not_kept_has_no_groups() -> None:
    """Nor has a group of a few rows."""
    assert by_field(groups(10, {"female": 0.5}), "partner", 0.5).sentence.startswith("no predict")
    assert by_field(groups(10, {"female": 0.5}), "gender", 0.5).groups == []


@slow
def test_what_serves_is_scored_on_published_rows(monitoring: Run, tmp_path: Path) -> None:
    """Rides as the TLC publishes them, those that training leaves out are left out; worse than at
    training is status 10."""
    manifest = train(silent(RIDE, data_of(RIDE, tmp_path), tmp_path / "models"))
    frame = rows_of(RIDE, 600)
    frame.loc[:4, "lpep_dropoff_datetime"] = frame.loc[:4, "lpep_pickup_datetime"]
    frame.loc[5:9, "trip_distance"] = -1.0
    frame.to_parquet("new.parquet")
    told = monitoring("score", "ride", "new.parquet", "--json", "r.json")
    found = json.loads(Path("r.json").read_text())
    assert (told.status, found["state"]) == (0, "quiet")
    assert found["version"] == manifest.version
    assert found["realised"]["rows"] == 590
    assert "5 rows left out: the truth is not from 1 to 60, as in training" in told.out
    assert "5 rows left out: trip_distance: expected a number" in told.out
    slower = frame.assign(lpep_dropoff_datetime=frame.lpep_dropoff_datetime + pd.Timedelta("9min"))
    slower.to_parquet("slow.parquet")
    told = monitoring("score", tmp_path / "models" / "ride", "slow.parquet")
    assert told.status == 10
    assert "on the training's held-out rows" in told.out


@slow
def test_a_class_is_scored_by_group(monitoring: Run, tmp_path: Path) -> None:
    """From a CSV, with the truth in a column of another name."""
    data = data_of(CHURN, tmp_path)
    train(silent(CHURN, data, tmp_path / "models"))
    frame = pd.read_csv(data)
    target = next(name for name in frame if str(name).lower() == "churn")
    frame.rename(columns={target: "left"}).to_csv("new.csv", index=False)
    told = monitoring("score", "churn", "new.csv", "--actual", "left", "--fairness", "gender")
    assert told.status in (0, 10), told.err
    assert "By gender: " in told.out
    assert "| gender | rows | said | true positive rate |" in told.out
    told = monitoring("score", "churn", "new.csv")
    assert (told.status, "churn" in told.err) == (2, True)


@slow
def test_rows_that_cannot_be_scored_say_why(monitoring: Run, tmp_path: Path) -> None:
    """A file without the fields, one without a usable row, one that is none."""
    train(silent(RIDE, data_of(RIDE, tmp_path), tmp_path / "models"))
    Path("a.csv").write_text("a\n1\n")
    told = monitoring("score", "ride", "a.csv")
    assert (told.status, told.err.count("\n")) == (2, 1)
    Path("b.csv").write_text("PULocationID,DOLocationID,trip_distance,duration\n1,2,3,900\n")
    told = monitoring("score", "ride", "b.csv", "--actual", "duration")
    assert (told.status, "no row could be scored: 1 rows: the truth" in told.err) == (1, True)
    Path("c.parquet").write_text("none")
    told = monitoring("score", "ride", "c.parquet")
    assert (told.status, "cannot be read" in told.err) == (1, True)
    Path("d.txt").write_text("none")
    assert monitoring("score", "ride", "d.txt").status == 2
