"""`monitoring who`: the audit's question in one command, after the raw log is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.monitoring.support import DIGEST, lines, rides, write

Run = Callable[..., Any]


@pytest.mark.slow
def test_a_request_is_answered_for(monitoring: Run) -> None:
    """What was scored, when, by which version; the log may have been deleted."""
    made = lines(rides(50))
    path = write(Path("a.jsonl"), made)
    monitoring("profile", path)
    path.unlink()
    told = monitoring("who", "ride", "--request-id", "r7")
    assert told.status == 0
    found = orjson.loads(told.out)
    assert found["score"] == made[7]["score"]
    assert found["time"] == made[7]["time"].replace(".000000", "")
    assert (found["version"], found["digest"], found["training"]) == ("3", DIGEST, None)
    assert found["segments"]["PULocationID"] == made[7]["features"]["PULocationID"]


def test_an_id_of_the_callers_is_found(monitoring: Run) -> None:
    """Every prediction for a customer, where the log has such an id."""
    made = lines(rides(6))
    for place, one in enumerate(made):
        one["ids"] = {"customerid": f"c{place % 2}"}
    monitoring("profile", write(Path("a.jsonl"), made))
    told = monitoring("who", "ride", "--field", "customerid=c1")
    found = [orjson.loads(one)["request_id"] for one in told.out.splitlines()]
    assert found == ["r1", "r3", "r5"]


@pytest.mark.slow
def test_hashed_ids_are_found_with_the_secret(
    monitoring: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not as they are."""
    monkeypatch.setenv("MONITORING_SECRET", "s" * 16)
    monitoring("profile", write(Path("a.jsonl"), lines(rides(5))), "--ids", "hash")
    assert monitoring("who", "ride", "--request-id", "r2", "--ids", "hash").status == 0
    told = monitoring("who", "ride", "--request-id", "r2")
    assert (told.status, "no such prediction is known" in told.err) == (1, True)


@pytest.mark.parametrize(
    "words", [["tips", "--request-id", "x"], ["ride"], ["ride", "--field", "x"]], ids=" ".join
)
def test_wrong_usage(monitoring: Run, words: list[str]) -> None:
    """Status 2."""
    assert monitoring("who", *words).status == 2


@pytest.mark.slow
def test_a_column_of_a_table_is_an_id(monitoring: Run) -> None:
    """Which a batch's output has beside the answers; one that a file has not is not there."""
    records = rides(4)
    columns = {name: [one[name] for one in records] for name in records[0]}
    table = pa.table({**columns, "duration": [1.0] * 4, "ride_id": [10, 11, 12, 13]})
    pq.write_table(table, "scored.parquet")
    monitoring("profile", "scored.parquet", "--model", "ride", "--id", "ride_id", "--id", "other")
    told = monitoring("who", "ride", "--field", "ride_id=12")
    assert orjson.loads(told.out)["index"] == 2
    assert monitoring("who", "ride", "--field", "other=12").status == 1
