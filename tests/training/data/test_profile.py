"""The profile: what the data looks like, field by field."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from scoring.models import Model
from tests.training.support import CHURN, RIDE, rows_of, table
from training.data.checks import check
from training.data.profile import profile
from training.data.profile import table as as_text
from training.sources import source_of

READ = pd.DataFrame(
    {
        "PULocationID": [7.0, 7.0, 7.0, 9.0, None],
        "DOLocationID": [1.0, 2.0, 3.0, 4.0, 5.0],
        "trip_distance": [1.0, 2.0, 3.0, 6.0, 4.0],
        "duration": [10.0, 10.0, 20.0, 40.0, None],
    }
)
USED = READ[:4].astype({"PULocationID": "int64", "DOLocationID": "int64"})


def test_columns_stand_below_each_other() -> None:
    """However long a field's name is."""
    entry = {"count": 3, "missing": 0.0, "most_frequent": [["a", 3]]}
    head, *lines = as_text({"zone": entry, "kilometres_by_bicycle": entry}).splitlines()
    assert {line.index("a (3)") for line in lines} == {head.index("most frequent")}


def test_a_number_has_count_range_mean_and_quantiles() -> None:
    """Over the rows that are used; the missing share is over those that were read."""
    found = profile(USED, READ, RIDE)
    assert list(found) == ["PULocationID", "DOLocationID", "trip_distance", "duration"]
    miles = found["trip_distance"]
    assert miles["count"] == 4
    assert miles["missing"] == 0
    assert miles["distinct"] == 4
    assert (miles["min"], miles["max"], miles["mean"]) == (1.0, 6.0, 3.0)
    assert miles["std"] == pytest.approx(3.5**0.5)  # (4 + 1 + 0 + 9) / 4
    assert " ".join(miles["quantiles"]) == "0.01 0.05 0.1 0.25 0.5 0.75 0.9 0.95 0.99"
    assert miles["quantiles"]["0.5"] == 2.5
    assert miles["quantiles"]["0.75"] == 3.75
    assert found["duration"]["missing"] == 0.2
    assert found["PULocationID"]["missing"] == 0.2
    assert found["PULocationID"]["most_frequent"] == [[7, 3], [9, 1]]


def test_a_category_has_its_most_frequent_values() -> None:
    """No range and no mean, but how often each value comes."""
    frame = pd.DataFrame([dict(CHURN.example)] * 5).assign(churn=[0, 0, 0, 1, 1])
    frame["contract"] = ["two_year", "one_year", "two_year", "two_year", "one_year"]
    found = profile(frame, frame, CHURN)
    assert found["contract"] == {
        "count": 5,
        "missing": 0.0,
        "distinct": 2,
        "most_frequent": [["two_year", 3], ["one_year", 2]],
    }
    assert found["churn"]["mean"] == 0.4


def test_the_ten_most_frequent_values_are_kept() -> None:
    """A field of many values does not fill the manifest."""
    many = pd.concat([USED] * 5, ignore_index=True).assign(trip_distance=range(20))
    entry = profile(many, many, RIDE)["trip_distance"]
    assert entry["distinct"] == 20
    assert len(entry["most_frequent"]) == 10


@pytest.mark.slow
def test_every_field_and_the_target_are_plain_values(model: Model) -> None:
    """JSON takes the profile as it is, of real columns, too."""
    read = source_of(model).tidy(rows_of(model))
    used = check(table(read), model, source_of(model)).frame
    found = profile(used, read, model)
    assert list(found) == [*model.record.model_fields, model.target]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_person_reads_one_line_a_field() -> None:
    """Count, missing share, range, mean and the three most frequent values."""
    table_text = as_text(profile(USED, READ, RIDE))
    lines = [" ".join(line.split()) for line in table_text.splitlines()]
    assert lines[0] == "field count missing range mean most frequent"
    assert lines[1] == "PULocationID 4 20.00% 7 to 9 7.5 7 (3), 9 (1)"
    assert lines[3] == "trip_distance 4 0.00% 1 to 6 3 1.0 (1), 2.0 (1), 3.0 (1)"
    assert len(lines) == 5


def test_a_category_has_no_range_for_a_person_either() -> None:
    """The columns stay where they are."""
    frame = pd.DataFrame([dict(CHURN.example)] * 3).assign(churn=[0, 0, 1])
    head, *lines = as_text(profile(frame, frame, CHURN)).splitlines()
    gender = next(line for line in lines if line.startswith("gender"))
    assert gender.split() == ["gender", "3", "0.00%", "female", "(3)"]
    assert gender.index("female") == head.index("most frequent")
