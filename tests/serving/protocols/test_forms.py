"""Every form of MLflow's protocol holds the same records, for every model that is found."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import InvalidRecords, NotCsv, NotJson, RequestError, TooLarge
from scoring.limits import Limits
from scoring.models import Model, discover
from serving.http.body import JSON_LINES
from serving.protocols import mlflow, v2
from serving.protocols.lines import csv_records, json_lines
from tests.support import records

RIDE = discover()["ride"]
LIMIT: dict[str, Any] = {"limits": Limits(max_records=100)}
NAMES = ["PULocationID", "DOLocationID", "trip_distance"]
ROW = [10, 50, 4.5]
CSV = "PULocationID,DOLocationID,trip_distance\n"


def forms(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the records in each form of JSON that there is."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        "plain": rows,
        "dataframe_split": {
            "dataframe_split": {"columns": list(columns), "data": [list(r.values()) for r in rows]}
        },
        "dataframe_records": {"dataframe_records": rows},
        "instances of rows": {"instances": rows},
        "instances of columns": {"instances": columns},
        "inputs of rows": {"inputs": rows},
        "inputs of columns": {"inputs": columns},
        "inputs of columns with one value a row": {
            "inputs": {name: [[value] for value in column] for name, column in columns.items()}
        },
    }


def in_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def errors(call: Any) -> dict[str, str]:
    """Return the fields that `call` refuses, with their problems."""
    with pytest.raises(InvalidRecords) as refused:
        call()
    return dict(refused.value.errors)


@pytest.mark.parametrize("form", forms([{"a": 1}]))
def test_a_form_holds_the_records(model: Model, form: str) -> None:
    """Each form gives the records back as they are, in order."""
    rows = records(model, 5)
    assert mlflow.values(forms(rows)[form], model, **LIMIT) == rows


def test_csv_holds_the_records(model: Model) -> None:
    """A line of names and a line a record give the records, every value of its field's kind."""
    rows = records(model, 5)
    got = csv_records(in_csv(rows), model, **LIMIT)
    assert got == rows
    assert [model.record.model_validate(row) for row in got]


def test_one_record_may_stand_alone() -> None:
    """A plain object is one record, and so is `inputs` of single values."""
    record = dict(RIDE.example)
    assert mlflow.values(record, RIDE, **LIMIT) == [record]
    assert mlflow.values({"inputs": record}, RIDE, **LIMIT) == [record]


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"inputs": [], "instances": []}, {"body"}),
        ({"inputs": 3}, {"inputs"}),
        ({"dataframe_records": {"a": [1]}}, {"dataframe_records"}),
        ({"dataframe_split": []}, {"dataframe_split.columns"}),
        ({"dataframe_split": {"columns": [1], "data": []}}, {"dataframe_split.columns"}),
        ({"dataframe_split": {"columns": NAMES}}, {"dataframe_split.data"}),
        (
            {"dataframe_split": {"columns": NAMES, "data": [ROW, [1], ROW, 7]}},
            {"dataframe_split.data[1]", "dataframe_split.data[3]"},
        ),
        ({"dataframe_split": {"columns": ["trip_distance", "x"], "data": []}}, set(NAMES[:2])),
        ({"dataframe_split": {"columns": [*NAMES, NAMES[0]], "data": []}}, {NAMES[0]}),
        ({"inputs": {}}, set(NAMES)),
        ({"inputs": {"PULocationID": [1], "DOLocationID": [1]}}, {"trip_distance"}),
        (
            {"inputs": {"PULocationID": [1], "DOLocationID": 1, "trip_distance": [2]}},
            {"inputs.DOLocationID"},
        ),
        (
            {"inputs": {"PULocationID": [1], "DOLocationID": [1, 2], "trip_distance": [2]}},
            {f"inputs.{name}" for name in NAMES},
        ),
    ],
)
def test_a_form_that_is_wrong_says_where(sent: Any, fields: set[str]) -> None:
    """What does not make up records is refused with every place at once."""
    assert set(errors(lambda: mlflow.values(sent, RIDE, **LIMIT))) == fields


def test_a_column_that_is_misspelt_is_named_once() -> None:
    """Not once a row; and the column that was probably meant is asked about."""
    sent = {"inputs": {"PULocationId": [1] * 9, "DOLocationID": [1] * 9, "trip_distance": [2] * 9}}
    found = errors(lambda: mlflow.values(sent, RIDE, **LIMIT))
    assert list(found) == ["PULocationID"]
    assert "was 'PULocationID' meant?" in found["PULocationID"]


@pytest.mark.parametrize("form", [f for f in forms([{"a": 1}]) if "split" in f or "columns" in f])
def test_more_rows_than_may_be_are_refused_before_they_are_made(form: str) -> None:
    """The limit holds for columns too."""
    sent = forms(records(RIDE, 100))[form]  # and the example
    with pytest.raises(TooLarge, match="101 records"):
        mlflow.values(sent, RIDE, **LIMIT)
    with pytest.raises(TooLarge, match="101 records"):
        csv_records(in_csv(records(RIDE, 100)), RIDE, **LIMIT)


def test_the_output_is_chosen_by_a_parameter() -> None:
    """`numbers` gives the first value of each answer; another word is refused."""
    answers = [{"churn_probability": 0.25, "churn": False}]
    assert mlflow.output({"inputs": [], "params": {"temperature": 1}}) == "records"
    assert mlflow.output([]) == "records"
    assert mlflow.answer(answers) == {"predictions": answers}
    assert mlflow.answer(answers, "numbers") == {"predictions": [0.25]}
    assert set(errors(lambda: mlflow.output({"params": {"output": ["x"]}}))) == {"params.output"}


# CSV


@pytest.mark.parametrize(
    ("cell", "value"),
    [("7", 7), (" 7 ", 7), ("", None), ("7.0", 7.0), ("nan", "nan"), ("1_0", "1_0")],
)
def test_a_cell_of_a_whole_number(cell: str, value: Any) -> None:
    """Digits are a number; anything else is left for the reader to refuse by its field's name."""
    [row] = csv_records(f"{CSV}{cell},2,3".encode(), RIDE, **LIMIT)
    assert row["PULocationID"] == value


@pytest.mark.parametrize("cell", ["1.5", "+1.5", ".5", "2", "1e1", "-0.0"])
def test_a_cell_of_a_number(cell: str) -> None:
    """The spellings that spreadsheets and pandas write are numbers."""
    [row] = csv_records(f"{CSV}1,2,{cell}\r\n".encode(), RIDE, **LIMIT)
    assert row["trip_distance"] == float(cell)


def test_spreadsheets_marks_are_no_obstacle() -> None:
    """A byte order mark, quotes, other columns, blank lines and Windows' line ends are read."""
    text = '\ufeff"PULocationID", DOLocationID ,note,trip_distance\r\n"10","50","a, b",4.5\r\n\r\n'
    [row] = csv_records(text.encode(), RIDE, **LIMIT)
    assert row == dict(zip(NAMES, ROW, strict=True))


@pytest.mark.parametrize(
    "body",
    [b"", b"\n\n", b"\xff\xfe,", b'PULocationID\n"1', b"a,b\n" + b"x" * 200_000],
    ids=["nothing", "blank", "no UTF-8", "an open quote", "a cell without an end"],
)
def test_what_is_no_csv_is_refused(body: bytes) -> None:
    """With 400, as what is no JSON is."""
    with pytest.raises(NotCsv):
        csv_records(body, RIDE, **LIMIT)


def test_csv_without_a_line_of_names_is_in_the_records_order(model: Model) -> None:
    """As SageMaker's batch transform sends it: the columns are the record's fields."""
    rows = [{name: row[name] for name in model.record.model_fields} for row in records(model, 3)]
    body = in_csv(rows).partition(b"\n")[2]
    assert csv_records(body, model, **LIMIT) == rows
    with pytest.raises(TooLarge, match="4 records"):
        csv_records(body, model, limits=Limits(max_records=3))


@pytest.mark.parametrize("first", ["pu_location_id,b,c", "a,b", "a,b,c,d", "trip_distance,1,2"])
def test_a_first_line_with_a_name_in_it_is_a_header(first: str) -> None:
    """One field's name or nearly so, or another number of columns: then fields are missing."""
    assert "PULocationID" in errors(lambda: csv_records(f"{first}\n1,2,3".encode(), RIDE, **LIMIT))


@pytest.mark.parametrize(("line", "got"), [("74,75", 2), ("74,75,2.5,x", 4), ("x,,,9", 4)])
def test_another_number_of_values_is_not_taken_for_names(line: str, got: int) -> None:
    """Without a line of names: nobody asked for a column that is called 74."""
    assert errors(lambda: csv_records(f"{line}\n".encode(), RIDE, **LIMIT)) == {
        "[0]": f"expected 3 values (PULocationID, DOLocationID, trip_distance), got {got}"
    }


@pytest.mark.parametrize(("separator", "called"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(separator: str, called: str) -> None:
    """What a spreadsheet of another country writes is told what to do."""
    body = separator.join(NAMES) + "\n" + separator.join(map(str, ROW))
    with pytest.raises(NotCsv, match=f"separated by {called}; separate by commas"):
        csv_records(body.encode(), RIDE, **LIMIT)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_excels_line_tells_the_separator(separator: str, end: str) -> None:
    """With names below it, and without; it is no record and no line of names."""
    names, row = separator.join(NAMES), separator.join(map(str, ROW))
    for mark in ("", "\ufeff"):
        for lines in ([names, row], [row]):
            body = mark + end.join([f"sep={separator}", *lines, ""])
            [read] = csv_records(body.encode(), RIDE, **LIMIT)
            assert read == dict(zip(NAMES, ROW, strict=True))
    with pytest.raises(NotCsv, match="the body is empty"):
        csv_records(f"sep={separator}{end}".encode(), RIDE, **LIMIT)
    with pytest.raises(InvalidRecords):
        csv_records(f"sep=x{end}{names}{end}{row}".encode(), RIDE, **LIMIT)


# JSON lines


def test_json_lines_hold_the_records(model: Model) -> None:
    """A record a line; blank lines and Windows' line ends are no obstacle."""
    rows = records(model, 5)
    body = "\r\n".join([*map(json.dumps, rows), "", ""]).encode()
    assert json_lines(body, **LIMIT) == rows
    with pytest.raises(TooLarge, match="6 records"):
        json_lines(body, limits=Limits(max_records=5))


def test_a_line_that_is_not_json_is_named_by_its_number() -> None:
    """Counted as an editor counts, blank lines too."""
    with pytest.raises(NotJson, match="line 3 of the body: the body is not JSON"):
        json_lines(b'{"a": 1}\n\n{"a": 1\n', **LIMIT)


# Whatever comes

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
names = st.sampled_from([*NAMES, "name", "datatype", "shape", "data", "parameters", "columns"])
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(names | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(deadline=None)
@given(data=anything, form=st.sampled_from([*mlflow.FORMS, "outputs"]), text=st.text())
def test_whatever_comes_is_read_or_refused(data: Any, form: str, text: str) -> None:
    """Nothing in the place of a form raises anything but an error of the caller's."""
    for call in (
        lambda: mlflow.values({form: data}, RIDE, **LIMIT),
        lambda: mlflow.output({"params": data}),
        lambda: v2.values({"inputs": data}, RIDE, **LIMIT),
        lambda: v2.values({"inputs": [data]}, RIDE, **LIMIT),
        lambda: v2.answer({"outputs": data, "id": data}, [{"duration": 1.0}], RIDE, "1"),
        lambda: csv_records(text.encode(errors="replace"), RIDE, **LIMIT),
    ):
        with contextlib.suppress(RequestError):
            assert isinstance(call(), list | dict | str)


def test_the_forms_are_answered_over_http(client: FlaskClient) -> None:
    """The default model answers each form as it answers POST /predict."""
    rows = records(RIDE, 3)
    expected = client.post("/predict", json=rows).get_json()["predictions"]
    for form, sent in forms(rows).items():
        got = client.post("/invocations", data=json.dumps(sent), content_type="application/json")
        assert got.json == {"predictions": expected}, form
    got = client.post("/invocations", data=in_csv(rows), content_type="text/csv; charset=utf-8")
    assert got.json == {"predictions": expected}
    got = client.post("/invocations", data=in_csv(rows), content_type="application/csv")
    assert got.json == {"predictions": expected}
    for media_type in JSON_LINES:
        body = "\n".join(map(json.dumps, rows))
        got = client.post("/invocations", data=body, content_type=media_type)
        assert got.json == {"predictions": expected}
