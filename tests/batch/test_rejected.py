"""Rows that are not valid never stop a run: whatever they hold, they are written down as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from batch.outputs.lines import line_of
from scoring.values.strict_json import DuplicateKey
from tests.batch.conftest import Ended

GOOD = '{"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}'


def test_numbers_and_texts_that_are_too_much_for_json_are_written(
    batch: Callable[..., Ended], tmp_path: Path
) -> None:
    """A number of a hundred digits, half of a surrogate pair, an infinity: each row is
    refused and told, the others are scored, and again with the same bytes."""
    lines = [
        GOOD,
        GOOD.replace("74", "9" * 100),
        GOOD.replace("74", '"\\ud800"'),
        GOOD.replace("2.5", "1e400"),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, ""]))
    told = []
    for name in ("one", "two"):
        assert batch("ride", "a.jsonl", "--output", f"{name}.jsonl").status == 0
        assert len((tmp_path / f"{name}.jsonl").read_text().splitlines()) == 1
        told.append((tmp_path / f"{name}.jsonl.run/rejected/part-00000-00000.jsonl").read_bytes())
    assert told[0] == told[1]
    values = [json.loads(line)["values"] for line in told[0].splitlines()]
    assert [one["PULocationID"] for one in values] == [1e100, "\ud800", 74]
    assert [one["trip_distance"] for one in values] == [2.5, 2.5, None]


def test_a_line_is_json() -> None:
    """Also of what JSON has no word for."""
    value = {"a": [float("inf"), 10**30, DuplicateKey()], "b": {1}}
    assert json.loads(line_of(value)) == {"a": [None, 10**30, None], "b": "{1}"}
    assert line_of({"a": float("nan"), "é": DuplicateKey()}) == '{"a":null,"é":null}\n'.encode()
