"""Tables of rides and customers, and what the predictor says of their rows one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings

from batch.columns.score import TableScorer
from scoring.errors import InvalidRecords
from scoring.models import discover
from scoring.predictor import Predictor

RIDE = discover()["ride"]
CHURN = discover()["churn"]

# of hypothesis, where an example takes as long as it takes
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def rides(count: int, **columns: Sequence[Any]) -> pa.Table:
    """Return a table of valid rides, half of them between zones that training never saw."""
    made: dict[str, Any] = {
        "PULocationID": [1 + place % 60 for place in range(count)],
        "DOLocationID": [1 + place * 7 % 60 for place in range(count)],
        "trip_distance": [place % 97 * 0.25 for place in range(count)],
        "ride_id": [f"r{place}" for place in range(count)],
    }
    return pa.table({**made, **columns})


def write_rides(path: Path, count: int, *, group: int = 1000, **columns: Sequence[Any]) -> Path:
    """Write a Parquet file of rides in row groups of `group` rows and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rides(count, **columns), path, row_group_size=group)
    return path


def one_by_one(predictor: Predictor, values: Sequence[Any]) -> dict[str, Any]:
    """Return what requests of one record each are answered, as columns, and every refusal."""
    scores, answers, refused = [], [], {}
    for place, value in enumerate(values):
        try:
            scored = predictor.one(value)
        except InvalidRecords as error:
            refused[place] = error.errors
        else:
            scores += scored.scores
            answers += scored.answers
    unseen = [answer.pop("unseen", []) for answer in answers]
    beyond = [answer.pop("beyond", []) for answer in answers]
    names = [*answers[0]] if answers else []
    return {
        "scores": scores,
        "answers": {name: [answer[name] for answer in answers] for name in names},
        "unseen": unseen,
        "beyond": beyond,
        "refused": refused,
    }


def by_columns(scorer: TableScorer, columns: Mapping[str, pa.Array], rows: int) -> dict[str, Any]:
    """Return the same of columns."""
    got = scorer.score(columns, rows)
    return {
        "scores": got.scores.tolist(),
        "answers": {n: column.to_pylist() for n, column in got.answers.items()} if len(got.scores)
        else {},
        "unseen": got.unseen.to_pylist(),
        "beyond": got.beyond.to_pylist(),
        "refused": {one.row: one.errors for one in got.rejected},
    }  # fmt: skip


def same(scorer: TableScorer, values: list[dict[str, Any]], **types: pa.DataType) -> None:
    """Assert that columns of `values` are scored as the values are, one by one."""
    names = list(scorer.model.record.model_fields)
    columns = {n: pa.array([value[n] for value in values], types.get(n)) for n in names}
    got = by_columns(scorer, columns, len(values))
    assert got == one_by_one(scorer.predictor, values)


def scored(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a published folder, in order."""
    parts = sorted(folder.glob("part-*.parquet"))
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def report(folder: Path) -> dict[str, Any]:
    """Return what a run says of itself."""
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found
