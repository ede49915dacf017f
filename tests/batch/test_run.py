"""A run as a whole: formats in and out, rejected rows, all or nothing, going on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pac
import pyarrow.parquet as pq
import pytest

from scoring.models import discover
from scoring.predictor import Predictor
from tests.batch.conftest import Ended
from tests.batch.support import CHURN, RIDE, one_by_one, report, scored, write_rides
from tests.support import records

Batch = Callable[..., Ended]


def expected(models_dir: Path, values: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what requests are answered."""
    return one_by_one(Predictor.from_folder(models_dir / "ride", RIDE), values)


@pytest.mark.slow
def test_a_folder_of_parquet_becomes_a_folder_of_parts(
    batch: Batch, tmp_path: Path, models_dir: Path
) -> None:
    """Each answer stands beside its row's own columns, in order, those of folders included."""
    write_rides(tmp_path / "in" / "month=1" / "a.parquet", 1500)
    write_rides(tmp_path / "in" / "month=2" / "b.parquet", 10, ride_id=["x"] * 10)
    (tmp_path / "in" / "_temporary").mkdir()
    write_rides(tmp_path / "in" / "_temporary" / "half.parquet", 5)
    ended = batch("ride", "in", "--output", "out")
    assert ended.status == 0, ended.err
    rows = scored(tmp_path / "out")
    assert len(rows) == 1510
    assert [row["month"] for row in rows] == [1] * 1500 + [2] * 10
    assert rows[7]["ride_id"] == "r7"
    fields = list(RIDE.record.model_fields)
    answers = expected(models_dir, [{name: row[name] for name in fields} for row in rows])
    assert [row["duration"] for row in rows] == answers["answers"]["duration"]
    assert [row["unseen"] for row in rows] == answers["unseen"]
    assert (tmp_path / "out" / "_SUCCESS").exists()
    assert not (tmp_path / "out" / "_unfinished").exists()
    said = report(tmp_path / "out")
    assert said["totals"]["scored"] == 1510
    assert said["inputs"][0]["sha256"]
    assert said["model"]["sha256"]
    assert "rows      1,510" in ended.out


def test_rows_that_are_not_valid_are_told_in_the_words_of_the_service(
    batch: Batch, tmp_path: Path, models_dir: Path
) -> None:
    """With their file and number; the others are scored."""
    distances = [1.0, -4.0, 2.0, None, 3.0]
    write_rides(tmp_path / "a.parquet", 5, trip_distance=distances)
    assert batch("ride", "a.parquet", "--output", "out").status == 0
    assert [row["ride_id"] for row in scored(tmp_path / "out")] == ["r0", "r2", "r4"]
    text = (tmp_path / "out" / "rejected" / "part-00000-00000.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["file"], line["row"]) for line in lines] == [("a.parquet", 2), ("a.parquet", 4)]
    values = {"PULocationID": 1, "DOLocationID": 1}
    refused = expected(models_dir, [{**values, "trip_distance": d} for d in distances])["refused"]
    assert [tuple(line["errors"][0].values()) for line in lines] == [
        tuple(refused[1][0]), tuple(refused[3][0])
    ]  # fmt: skip
    assert report(tmp_path / "out")["totals"]["rejected_by_reason"] == {
        "trip_distance: range": 1, "trip_distance: type": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strict"], "a row of a.parquet is not valid (--strict)"),
        (["--max-rejected", "0.1"], "2 of 10 rows are not valid, more than --max-rejected 0.1"),
        (["--max-rejected", "10%"], "more than --max-rejected 0.1"),
    ],
)
def test_too_many_rejected_rows_end_the_run_before_anything_is_published(
    batch: Batch, tmp_path: Path, words: list[str], said: str
) -> None:
    """Status 3; the same command with a larger share goes on with what was done."""
    write_rides(tmp_path / "a.parquet", 10, trip_distance=[-1.0, 400.0, *[1.0] * 8])
    ended = batch("ride", "a.parquet", "--output", "out", *words)
    assert ended.status == 3
    assert said in ended.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_unfinished"]
    assert batch("ride", "a.parquet", "--output", "out", "--max-rejected", "0.2").status == 0
    assert report(tmp_path / "out")["resumed_parts"] == 1


def test_a_finished_run_is_not_done_again(batch: Batch, tmp_path: Path) -> None:
    """It says so, with status 0; other inputs are refused, --overwrite takes its place."""
    write_rides(tmp_path / "a.parquet", 10)
    assert batch("ride", "a.parquet", "--output", "out").status == 0
    before = report(tmp_path / "out")
    ended = batch("ride", "a.parquet", "--output", "out")
    assert ended.status == 0
    assert ended.out.startswith("nothing to do: out was finished at")
    assert report(tmp_path / "out") == before
    write_rides(tmp_path / "b.parquet", 20)
    ended = batch("ride", "b.parquet", "--output", "out")
    assert (ended.status, "finished run of other inputs" in ended.err) == (2, True)
    assert batch("ride", "b.parquet", "--output", "out", "--overwrite").status == 0
    assert len(scored(tmp_path / "out")) == 20


def test_somebody_elses_folder_is_left_alone(batch: Batch, tmp_path: Path) -> None:
    """Status 2, and nothing is written."""
    write_rides(tmp_path / "a.parquet", 10)
    write_rides(tmp_path / "out" / "mine.parquet", 3)
    ended = batch("ride", "a.parquet", "--output", "out")
    assert ended.status == 2
    assert "mine.parquet" in ended.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.parquet"]


def customers(path: Path, count: int = 40) -> list[dict[str, Any]]:
    """Write a CSV of customers with an id, and return its rows."""
    rows = [{"customerID": f"c{n}", **row} for n, row in enumerate(records(CHURN, count))]
    pac.write_csv(pa.Table.from_pylist(rows), path)
    return rows


def of_customers(models_dir: Path, rows: list[dict[str, Any]]) -> list[Any]:
    predictor = Predictor.from_folder(models_dir / "churn", discover()["churn"])
    answers: list[Any] = one_by_one(predictor, rows)["answers"]["churn_probability"]
    return answers


@pytest.mark.slow
def test_a_csv_becomes_a_csv(batch: Batch, tmp_path: Path, models_dir: Path) -> None:
    """One file, its report beside it."""
    rows = customers(tmp_path / "customers.csv")
    assert batch("churn", "customers.csv", "--output", "scored.csv").status == 0
    table = pac.read_csv(tmp_path / "scored.csv")
    assert table["customerID"].to_pylist() == [row["customerID"] for row in rows]
    assert table["churn_probability"].to_pylist() == of_customers(models_dir, rows)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"customers.csv", "scored.csv", "scored.csv.run"}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv.gz", "parquet", "jsonl", "jsonl.gz"])
def test_one_file_of_any_format(
    batch: Batch, tmp_path: Path, models_dir: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several parts, merged in order."""
    monkeypatch.setattr("batch.inputs.text.BLOCK_BYTES", 4000)
    rows = customers(tmp_path / "customers.csv")
    ended = batch("churn", "customers.csv", "--output", f"scored.{suffix}")
    assert ended.status == 0, ended.err
    path = tmp_path / f"scored.{suffix}"
    assert len(report(tmp_path / f"scored.{suffix}.run")["output"]["parts"]) > 1
    if suffix == "parquet":
        got = pq.read_table(path)["churn_probability"].to_pylist()
    else:
        text = gzip.decompress(path.read_bytes()) if suffix.endswith("gz") else path.read_bytes()
        if suffix.startswith("csv"):
            got = pac.read_csv(pa.BufferReader(text))["churn_probability"].to_pylist()
        else:
            got = [json.loads(line)["churn_probability"] for line in text.splitlines()]
    assert got == of_customers(models_dir, rows)


@pytest.mark.slow
def test_cells_are_read_as_in_a_csv_request(batch: Batch, tmp_path: Path) -> None:
    """Signs, spaces and empty cells; a cell that is not a number; a line that is too short; line
    numbers count quoted lines and empty ones."""
    text = (
        "\ufeffPULocationID,DOLocationID,trip_distance,note\r\n"
        '74,75,2.5,"two\nlines"\r\n'
        "\r\n"
        "+74, 75 ,.5e1,\r\n"
        "0x4A,75,2.5,\r\n"
        "74,75\r\n"
        "74,,1_0,\r\n"
        "74,75,nan,x\r\n"
    )
    (tmp_path / "a.csv").write_text(text, encoding="utf-8", newline="")
    assert batch("ride", "a.csv", "--output", "out.jsonl").status == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["note"] for row in rows] == ["two\nlines", None]
    lines = (tmp_path / "out.jsonl.run/rejected/part-00000-00000.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [one["row"] for one in told] == [6, 7, 8, 9]
    assert [[e["problem"] for e in one["errors"]] for one in told] == [
        ["expected a whole number from 1 to 265, got a text"],
        ["expected 4 cells, got 2"],
        ["expected a whole number from 1 to 265, got null",
         "expected a number from 0 to 100, got a text"],
        ["expected a number from 0 to 100, got a text"],
    ]  # fmt: skip


@pytest.mark.slow
def test_json_lines_are_as_strict_as_a_body(batch: Batch, tmp_path: Path) -> None:
    """What is valid is carried as it was written; a repeated key, NaN, no JSON, no object."""
    good = '{"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5, "odd": [1.0, {"é": 1}]}'
    lines = [
        good,
        "",
        good.replace("74", "74.5"),
        good.replace("}}", "}}").replace("2.5", "NaN"),
        good.replace('"odd"', '"trip_distance": 1, "odd"'),
        "[1]",
        "{",
        good.replace("2.5", "0.25"),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert batch("ride", "a.jsonl", "--output", "out.jsonl").status == 0
    rows = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 2
    assert rows[0].startswith(good[:-1] + ',"duration":')
    told = (tmp_path / "out.jsonl.run/rejected/part-00000-00000.jsonl").read_text().splitlines()
    found = {json.loads(line)["row"]: json.loads(line)["errors"][0]["problem"] for line in told}
    assert list(found) == [3, 4, 5, 6, 7]
    assert "NaN is no JSON number" in found[4]
    assert "the key more than once" in found[5]
    assert "a JSON object, got an array" in found[6]


@pytest.mark.parametrize("keep", ["ride_id", "none", "all"])
def test_columns_to_keep(batch: Batch, tmp_path: Path, keep: str) -> None:
    """Named ones, none, or all; one with the answer's own name is kept under another."""
    write_rides(tmp_path / "a.parquet", 5, duration=[9.0] * 5)
    assert batch("ride", "a.parquet", "--output", "out", "--keep", keep).status == 0
    made = ["duration", "model_version", "unseen", "beyond"]
    kept = {"ride_id": ["ride_id"], "none": [],
            "all": ["PULocationID", "DOLocationID", "trip_distance", "ride_id",
                    "duration_input"]}  # fmt: skip
    assert list(scored(tmp_path / "out")[0]) == kept[keep] + made


def test_contributions_add_up_to_the_answer(batch: Batch, tmp_path: Path) -> None:
    """A column a feature, and the base."""
    write_rides(tmp_path / "a.parquet", 5)
    assert batch("ride", "a.parquet", "--output", "out", "--explain").status == 0
    for row in scored(tmp_path / "out"):
        total = sum(value for name, value in row.items() if name.startswith("contribution_"))
        assert max(total, 0.0) == pytest.approx(row["duration"])


def test_the_prediction_log_has_a_line_a_row(batch: Batch, tmp_path: Path) -> None:
    """As requests leave them; with the fields left out that the settings name."""
    write_rides(tmp_path / "a.parquet", 5)
    words = ("ride", "a.parquet", "--output", "out", "--log", tmp_path / "logs" / "p.jsonl")
    assert batch(*words).status == 0
    lines = [json.loads(line) for line in (tmp_path / "logs/p.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[0]["features"]["PULocationID"] == 1
    assert [line["result"]["duration"] for line in lines] == [
        row["duration"] for row in scored(tmp_path / "out")
    ]  # fmt: skip


def test_metrics_for_the_node_exporter(batch: Batch, tmp_path: Path) -> None:
    """Rows, rejected ones, the end's time and the status; also of a run that failed."""
    write_rides(tmp_path / "a.parquet", 5, trip_distance=[-1.0, 1.0, 1.0, 1.0, 1.0])
    words = ("ride", "a.parquet", "--output", "out", "--metrics-file", "batch.prom")
    assert batch(*words, "--strict").status == 3
    assert 'batch_last_status{model="ride"} 3.0' in (tmp_path / "batch.prom").read_text()
    assert batch(*words).status == 0
    text = (tmp_path / "batch.prom").read_text()
    assert 'batch_rejected_rows{model="ride"} 1.0' in text
    assert 'batch_last_status{model="ride"} 0.0' in text


@pytest.mark.slow
def test_no_row_at_all_is_an_output_with_its_columns(batch: Batch, tmp_path: Path) -> None:
    """An empty file, and one all of whose rows are rejected."""
    write_rides(tmp_path / "a.parquet", 0)
    assert batch("ride", "a.parquet", "--output", "out").status == 0
    [part] = (tmp_path / "out").glob("*.parquet")
    assert pq.read_table(part).column_names[-4:] == [
        "duration",
        "model_version",
        "unseen",
        "beyond",
    ]
    write_rides(tmp_path / "b.parquet", 2, trip_distance=[-1.0, -1.0])
    for suffix in ("csv", "csv.gz", "parquet"):
        assert batch("ride", "b.parquet", "--output", f"o.{suffix}").status == 0
    assert (tmp_path / "o.csv").read_text().count("\n") == 1
