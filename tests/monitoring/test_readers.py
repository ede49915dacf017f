"""Both ways to read lines come to the same profiles, and repeated ids are found by either way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitoring.blocks import Block, split
from monitoring.numpy_arrow import as_arrow, as_numpy, repeated
from monitoring.parquet_logs import parquet
from monitoring.reading import Told, blocks_of
from monitoring.repeats import came_before
from monitoring.store import Store
from monitoring.structs import table_of
from scoring.observers.log_lines import Lines
from tests.monitoring.support import BEGIN, line, lines, rides, text


def odd_lines() -> list[dict[str, Any]]:
    """Return lines with hashes, several records, versions, time zones, late and repeated ones."""
    hashing = Lines([], ["PULocationID"], "s" * 16)
    made = lines(rides(60, seed=4))
    for place, one in enumerate(made):
        one["features"] = hashing._features(one["features"])
        one["ids"] = {"customer": f"c{place % 7}"}
    made[3]["index"] = 1
    made[10]["time"] = "2026-11-02T05:59:59+02:00"
    made[11]["time"] = "2026-11-02T04:00:00Z"
    made[12] |= {"version": "4", "digest": "e" * 64}
    made[20]["features"]["trip_distance"] = None
    made[21]["unseen"] = ["PU_DO=1_2"]
    made.append({**made[30], "time": "2026-11-02T23:00:00+00:00"})
    made.append(line(rides(1)[0], 900, BEGIN - timedelta(days=2), features=made[0]["features"]))
    return made


def told(name: str) -> list[Any]:
    """Return everything that a store holds of rides."""
    store = Store(name)
    kept = sorted(store.predictions("ride", 0, 1 << 30), key=lambda one: one.version)
    hours = sorted(store.hours("ride", 0, 1 << 30), key=lambda one: (one.hour, one.version))
    return [hours, kept]


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_line_by_line_and_in_one_pass_are_the_same(
    monitoring: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, *, broken: bool
) -> None:
    """The odd lines; and those among lines that are none, one of another schema, one cut off."""
    content = text(odd_lines())
    Path("fast.jsonl").write_bytes(content)
    assert monitoring("profile", "fast.jsonl", "--store", "fast.db").out.startswith("62 pre")
    if broken:
        some = content.splitlines(keepends=True)
        others = [b"{\n", b'{"schema":2,"time":"2026"}\n', some[0][:70] + b"\n"]
        content = b"".join([*some[:9], *others, *some[9:], some[0][:90]])
    else:

        def refuses(*_: object, **__: object) -> None:
            raise pa.ArrowInvalid("not in one pass")

        monkeypatch.setattr("pyarrow.json.read_json", refuses)
    Path("slow.jsonl").write_bytes(content)
    assert monitoring("profile", "slow.jsonl", "--store", "slow.db").out.startswith("62 pre")
    assert told("slow.db") == told("fast.db")


def columns(block: Block) -> list[Any]:
    named = {**{name: column.to_pylist() for name, column in block.features.items()}, **block.ids}
    return [block.model, block.version, block.digest, block.time.tolist(), block.score.tolist(),
            block.request_id.to_pylist(), block.index.to_pylist(), block.unseen.tolist(),
            named]  # fmt: skip


def test_predictions_alone_are_read_as_arrow_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes, time zones, versions, missing values; an id that is no ASCII."""
    made = [{k: v for k, v in one.items() if k != "ids"} for one in odd_lines()]
    made[5]["request_id"] = "rué"
    table = table_of(text(made))
    assert table is not None
    ours = [columns(block) for block in split(table)]
    monkeypatch.setattr("monitoring.structs.table_of", lambda _: None)
    bad: Counter[str] = Counter()
    assert ours == [columns(block) for block in blocks_of(text(made), bad, Told())]
    assert not bad
    assert len(ours) == 2


@pytest.mark.parametrize(
    "other",
    [{"ids": {"customer": "c1"}}, {"kind": "feedback"}, {"model": "churn"}, {"schema": 2},
     {"time": "soon"}, {"index": 1 << 40}, {"score": "1"}, {"request_id": None},
     {"features": {"PULocationID": "x", "DOLocationID": 1, "trip_distance": 2.0}}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_other_lines_are_for_the_other_readers(other: dict[str, Any]) -> None:
    """Ids, feedback, a second model, and whatever is not as in the lines beside it."""
    made = lines(rides(3))
    assert table_of(text(made)) is not None
    assert table_of(text([*made, {**made[0], **other}])) is None
    assert table_of(b"\n" + text(made)) is None


@pytest.mark.parametrize(
    "ids",
    [[f"{n:032x}" for n in range(500)], [f"r{n}" for n in range(500)], ["batch/part-0"] * 500],
    ids=["one length", "many lengths", "one id"],
)
def test_repeated_ids_are_those_that_came_before(ids: list[str]) -> None:
    """With the same index; of a part of a longer column, too."""
    ids = [*ids, ids[3], ids[499], ids[3]]
    index = np.array([*range(500), 3, 7, 3], np.int32)
    pairs = list(zip(ids, index.tolist(), strict=True))
    expected = [int(pair in pairs[:place]) for place, pair in enumerate(pairs)]
    assert came_before(pa.array(["x", *ids])[1:], index).tolist() == expected
    assert sum(expected) >= 2
    assert not came_before(pa.array(ids[:500]), index[:500]).any()


def test_columns_come_to_numpy_and_back() -> None:
    """Parts of them, with and without missing values."""
    numbers = np.arange(10.0)[::2]
    assert as_numpy(as_arrow(numbers)[1:4]).tolist() == [2, 4, 6]
    assert np.isnan(as_numpy(pa.array([1, None]))).tolist() == [False, True]
    assert as_numpy(pa.array([True, False])).tolist() == [True, False]
    assert as_numpy(pa.array([], pa.int64())).tolist() == []
    assert repeated("zwölf", 2).to_pylist() == ["zwölf", "zwölf"]


def test_memory_does_not_grow_with_the_rows_of_a_parquet_file(tmp_path: Path) -> None:
    """What is done is let go."""
    made = lines(rides(2000))
    names = ["time", "request_id", "version", "digest", "index", "score"]
    flat = [{name: one[name] for name in names} | one["features"] for one in made]
    table = pa.Table.from_pylist(flat)
    fields = {"ride": ["PULocationID", "DOLocationID", "trip_distance"]}
    most = []
    for groups in (5, 40):
        with pq.ParquetWriter(tmp_path / "a.parquet", table.schema) as file:
            for _ in range(groups):
                file.write_table(table)
        before = pa.total_allocated_bytes()
        read = parquet(tmp_path / "a.parquet", "ride", fields)
        most.append(max(pa.total_allocated_bytes() - before for _ in read))
    assert most[1] < 1.2 * most[0]
