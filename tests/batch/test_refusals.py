"""What is wrong with rows is asked once for each combination of doubtful values."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch.columns import refusals
from batch.columns.score import TableScorer
from scoring.predictor import Predictor
from tests.batch.support import RIDE, by_columns, one_by_one
from tests.support import write_artifact


class Counted:
    """A record's reader that counts what it is asked."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.asked = 0

    def one(self, value: Any) -> Any:
        self.asked += 1
        return self._reader.one(value)


@pytest.fixture
def scorer(tmp_path: Path) -> TableScorer:
    write_artifact(RIDE, tmp_path)
    return TableScorer(Predictor.from_folder(tmp_path / "ride", RIDE))


def counted(scorer: TableScorer) -> Counted:
    reader = Counted(scorer.predictor.reader)
    scorer._refusals = refusals.Refusals(reader)  # type: ignore[arg-type]  # all that it calls
    return reader


def rows(distances: list[float | None], zone: int | None = 10) -> list[dict[str, Any]]:
    return [{**RIDE.example, "trip_distance": x, "PULocationID": zone} for x in distances]


def columns(values: list[dict[str, Any]]) -> dict[str, pa.Array]:
    return {name: pa.array([value[name] for value in values]) for name in values[0]}


def test_rows_without_a_value_are_one_question(scorer: TableScorer) -> None:
    """Also in a later batch; another bad value, or another bad field beside it, is another one."""
    reader = counted(scorer)
    values = rows([1.0, None, 2.0, None, -1.0, None]) + rows([None, None], zone=None)
    for _ in range(2):
        got = by_columns(scorer, columns(values), len(values))
        assert got == one_by_one(scorer.predictor, values)
    assert list(got["refused"]) == [1, 3, 4, 5, 6, 7]
    assert reader.asked == 3


def test_of_text_the_cells_themselves_are_asked_about(scorer: TableScorer) -> None:
    """A column holds nothing where a cell is no number, whatever the cell says; a row that lacks a
    field may have another key that was meant, and is always asked about."""
    reader = counted(scorer)
    values: list[Any] = [{**RIDE.example, "trip_distance": cell} for cell in ("x", "", "x", "7 km")]
    misspelt = {**RIDE.example, "tripDistance": 3.0}
    del misspelt["trip_distance"]
    values += [misspelt, {k: v for k, v in misspelt.items() if k != "tripDistance"}, ["no", "row"]]
    held = columns([{**RIDE.example, "trip_distance": 1.0}] * len(values))
    held["trip_distance"] = pa.nulls(len(values), pa.float64())
    got = scorer.score(held, len(values), lambda row: values[row])
    expected = one_by_one(scorer.predictor, values)["refused"]
    assert {one.row: one.errors for one in got.rejected} == expected
    assert len({json.dumps([e._asdict() for e in errors]) for errors in expected.values()}) == 4
    assert reader.asked == 3


def test_a_doubtful_value_may_be_valid(scorer: TableScorer) -> None:
    """Decimals are for no rule to judge; the record takes those that are whole numbers."""
    held = columns([dict(RIDE.example)] * 3)
    zones = [Decimal("10.0"), Decimal("10.5"), Decimal("11.0")]
    held["PULocationID"] = pa.array(zones, pa.decimal128(5, 1))
    expected = [{**RIDE.example, "PULocationID": zone} for zone in (10, 10.5, 11)]
    got = by_columns(scorer, held, 3)
    assert got == one_by_one(scorer.predictor, expected)
    assert list(got["refused"]) == [1]


def test_no_more_is_remembered_than_there_is_room_for(
    scorer: TableScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not remembered is asked again, with the same answer."""
    monkeypatch.setattr(refusals, "_MAX_KNOWN", 1)
    reader = counted(scorer)
    values = rows([None, -1.0, -2.0, None, -1.0, -2.0])
    got = by_columns(scorer, columns(values), len(values))
    assert got == one_by_one(scorer.predictor, values)
    assert reader.asked == 5
