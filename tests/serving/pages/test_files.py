"""A file of records on the page: answered as /predict's CSV is, row by row."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scoring.models import discover
from serving.app import create_app
from serving.settings import Settings

RIDES = """id,PULocationID,DOLocationID,trip_distance,duration
a,74,75,2.5,9
b,74,x,2.5,
c,1,1,4,12
"""


def sent(client: FlaskClient, text: str, kind: str = "text/csv") -> Any:
    return client.post("/models/ride/file", data=text.encode(), content_type=kind)


@pytest.mark.slow
def test_each_row_has_its_answer_or_its_problem(client: FlaskClient) -> None:
    """The file's own columns stay, in order; one of an answer's name is marked as the input."""
    answer = sent(client, RIDES).get_json()
    assert (answer["records"], answer["refused"]) == (3, 1)
    rows = list(csv.DictReader(io.StringIO(answer["csv"])))
    assert [*rows[0]] == answer["columns"]
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [row["duration_input"] for row in rows] == ["9", "", "12"]
    record = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}
    expected = client.post("/predict/ride", json=record).get_json()
    assert float(rows[0]["duration"]) == expected["duration"]
    assert rows[0]["model_version"] == expected["model_version"]
    assert rows[1]["duration"] == rows[1]["model_version"] == ""
    assert rows[1]["problem"] == "DOLocationID: expected a whole number from 1 to 265, got a text"
    assert rows[2]["unseen"] == "PU_DO=1_1"
    assert [list(row.values()) for row in rows] == answer["rows"]


def test_of_a_long_file_the_first_rows_are_shown_and_all_are_answered(client: FlaskClient) -> None:
    """Twenty rows to look at, every row in the download."""
    answer = sent(client, "74,75,2.5\n" * 50).get_json()
    assert (answer["records"], len(answer["rows"])) == (50, 20)
    assert len(answer["csv"].splitlines()) == 51


def test_truth_values_are_written_as_json_has_them(client: FlaskClient) -> None:
    """A churn's answer has a probability and a truth value."""
    example = dict(discover()["churn"].example)
    text = ",".join(example) + "\n" + ",".join(map(str, example.values()))
    answer = client.post("/models/churn/file", data=text, content_type="text/csv").get_json()
    [row] = csv.DictReader(io.StringIO(answer["csv"]))
    assert row["churn"] in {"true", "false"}
    assert row["problem"] == ""


@pytest.mark.parametrize(
    ("text", "kind", "status", "words"),
    [
        ("PULocationID,trip_distance\n1,2", "text/csv", 422, "expected a column of this name"),
        ("a;b;c\n1;2;3", "text/csv", 400, "separated by semicolons"),
        ("1,2,3\n1,2", "text/csv", 422, "expected 3 values"),
        ("{}", "application/json", 415, "text/csv"),
    ],
    ids=["a column is missing", "semicolons", "a short line", "not a CSV"],
)
def test_a_file_that_cannot_be_read_is_told_as_predict_tells_it(
    client: FlaskClient, text: str, kind: str, status: int, words: str
) -> None:
    """The problem document is that of /predict's own CSV."""
    answer = sent(client, text, kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert words in answer.text


def test_a_file_of_too_many_rows_is_refused(furnished: Flask) -> None:
    """MAX_RECORDS bounds it, as every other request."""
    settings = Settings(models_dir=furnished.services.settings.models_dir, max_records=2)  # type: ignore[attr-defined]
    answer = sent(create_app(settings).test_client(), "74,75,2.5\n" * 3)
    assert answer.status_code == 413
