"""SQL scores what a table holds: nulls, spellings, NaN, many rides."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.support import DATA_DIR, needs_real_data
from tests.training.export.exported import MODELS, form_of, predictor_of
from training.data.checks import check
from training.data.tables import read
from training.export.sql_query import sql_files
from training.sources import source_of

WHEN = ("2021-01", "2021-02", "2021-03", "2022-01", "2023-01", "2023-02", "2023-03")
RIDES = int(os.environ.get("RIDES", "50000"))  # a million take half a minute
MONTHS = [f"green/green_tripdata_{month}.parquet" for month in WHEN]


def files_of(name: str, dialect: str = "duckdb", kind: str = "linear") -> dict[str, str]:
    made = sql_files(dialect)(form_of(name, kind))
    return {path: text.decode() for path, text in made.items()}


def sqlite_rows(name: str, columns: str, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return what the query gives for a table of these rows."""
    files = files_of(name, "sqlite")
    with closing(sqlite3.connect(":memory:")) as base:
        base.row_factory = sqlite3.Row
        base.executescript(files["weights.sql"])
        base.execute(f"CREATE TABLE records ({columns})")
        marks = ", ".join("?" * len(columns.split(",")))
        base.executemany(f"INSERT INTO records VALUES ({marks})", rows)
        return [dict(row) for row in base.execute(files["model.sql"])]


def test_the_columns_of_the_table_go_along() -> None:
    """With an id, 74.0 is 74; an answer beside the score; an unseen pair is named."""
    columns = "id TEXT, PULocationID REAL, DOLocationID INTEGER, trip_distance REAL"
    [row] = sqlite_rows("ride", columns, [("a", 74.0, 264, 2.5)])
    predictor = predictor_of("ride", "linear")
    wanted = predictor.one({"PULocationID": 74, "DOLocationID": 264, "trip_distance": 2.5})
    assert row["id"] == "a"
    assert row["unseen"] == "PU_DO=74_264"
    assert row["score"] == pytest.approx(wanted.scores[0], rel=1e-12)
    assert row["duration"] == pytest.approx(wanted.answers[0]["duration"], rel=1e-12)


@pytest.mark.parametrize(
    "ride", [(None, 1, 1.0), (1, None, 1.0), (1, 1, None), (0, 1, 1.0), (266, 1, 1.0),
             (74.5, 1, 1.0), (1, 1, -0.1), (1, 1, 100.1), (1, 1, float("inf"))],
    ids=str,
)  # fmt: skip
def test_what_the_service_refuses_has_no_score(ride: tuple[Any, ...]) -> None:
    """Nor an answer."""
    columns = "PULocationID REAL, DOLocationID INTEGER, trip_distance REAL"
    [row] = sqlite_rows("ride", columns, [ride])
    assert row["score"] is None
    assert row["duration"] is None


@pytest.mark.parametrize("word", ["Month-to-month", " MONTH-TO-MONTH\t", "month-to-month"])
@pytest.mark.parametrize("line", ["No phone  service", "no\nphone_service ", "No_Phone_Service"])
def test_categories_are_read_in_any_spelling(word: str, line: str) -> None:
    """As by the service: any case, spaces for underscores."""
    example = {**MODELS["churn"].example, "contract": word, "multiplelines": line}
    columns = ", ".join(f'"{name}"' for name in example)
    [row] = sqlite_rows("churn", columns, [tuple(example.values())])
    [score] = predictor_of("churn", "linear").one(example).scores
    assert row["score"] == pytest.approx(score, rel=1e-9)
    assert row["unseen"] is None


def test_numbers_that_are_none_have_no_score() -> None:
    """NaN and infinity, of DuckDB, where no limit is."""
    files = files_of("shop")
    with duckdb.connect() as base:
        base.execute(files["weights.sql"])
        example = {**MODELS["shop"].example, "default": "cash"}
        base.execute("CREATE TABLE one AS SELECT * FROM (SELECT unnest(?::JSON[])) AS t(v)",
                     [[json.dumps(example)]])  # fmt: skip
        base.execute(
            "CREATE VIEW records AS SELECT v->>'shop' AS shop, v->>'colour' AS colour, "
            "v->>'size' AS size, 2 AS grade, true AS gift, false AS urgent, pieces, price, weight, "
            "4 AS age, v->>'note' AS note, v->>'default' AS \"default\" FROM one, "
            "(SELECT unnest(['3.0', 'nan', 'inf'])::DOUBLE AS pieces), "
            "(SELECT unnest(['7.5', 'nan', '-inf'])::DOUBLE AS price), "
            "(SELECT unnest(['1.25', 'nan', NULL])::DOUBLE AS weight)"
        )
        rows = base.execute(
            f"SELECT pieces, price, weight, score FROM ({files['model.sql']})"
        ).fetchall()
    good = {(3.0, 7.5, 1.25), (3.0, 7.5, None)}
    assert len(rows) == len(list(product(range(3), repeat=3)))
    assert {row[:3] for row in rows if row[3] is not None} == good


@pytest.mark.long
@pytest.mark.slow
@needs_real_data(*MONTHS)
def test_many_answers_of_duckdb_are_those_of_the_service(tmp_path: Path) -> None:
    """Real rides of seven months, and the same between other zones."""
    model, predictor = MODELS["ride"], predictor_of("ride", "sample")
    names = list(model.record.model_fields)
    source = source_of(model)
    frame = check(
        read(model, source, [DATA_DIR / month for month in MONTHS]), model, source, max_dropped=1
    ).frame[names]
    frame = frame.sample(min(len(frame), RIDES // 2), random_state=1)
    rides = pd.concat([frame] * (RIDES // len(frame) + 1), ignore_index=True)[:RIDES]
    turned = np.arange(len(rides)) // len(frame)
    rides["DOLocationID"] = (rides["DOLocationID"] + 7 * turned - 1) % 265 + 1
    rides.to_parquet(tmp_path / "rides.parquet", index=False)
    files = files_of("ride", kind="sample")
    with duckdb.connect() as base:
        base.execute("SET preserve_insertion_order = true")
        base.execute(files["weights.sql"])
        base.execute(
            "CREATE VIEW records AS SELECT file_row_number, PULocationID, DOLocationID, "
            f"trip_distance FROM read_parquet('{tmp_path / 'rides.parquet'}', file_row_number=true)"
        )
        found = base.execute(
            f"SELECT duration, unseen FROM ({files['model.sql']}) ORDER BY file_row_number"
        ).fetchall()
    wanted = predictor.many(rides.to_dict("records"))
    durations = np.array([answer["duration"] for answer in wanted.answers])
    assert len(durations) == RIDES
    told = np.array([duration for duration, _ in found])
    np.testing.assert_allclose(told, durations, rtol=1e-9, atol=1e-9)
    unseen = [", ".join(answer.get("unseen", ())) for answer in wanted.answers]
    assert [names or "" for _, names in found] == unseen
    assert 0.2 < sum(map(bool, unseen)) / RIDES < 0.9
