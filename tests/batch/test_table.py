"""Parts' bytes: what a Parquet file says of columns that were written as dictionaries."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.inputs.files import Format
from batch.outputs.table import encode


def coded() -> pa.Table:
    """Return a table whose texts are dictionaries, also those in lists, with types that Parquet
    does not know."""
    texts = pa.array(["a", "b", "a"]).dictionary_encode()
    return pa.table({
        "text": pa.array(["x", None, "x"]).dictionary_encode(),
        "large": pa.array(["q", None, "q"], pa.large_string()),
        "took": pa.array([timedelta(seconds=n) for n in range(3)], pa.duration("s")),
        "at": pa.array([datetime(2021, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "Europe/Berlin")),
        "unseen": pa.ListArray.from_arrays(pa.array([0, 1, 1, 3], pa.int32()), texts),
    })  # fmt: skip


def test_a_part_has_the_types_that_the_input_had() -> None:
    """No dictionary, and what Arrow has of types beyond Parquet's; the model is named."""
    data = encode(
        coded(), "parquet", compressed=False, header=True, metadata={"model_version": "3"}
    )
    file = pq.ParquetFile(io.BytesIO(data))
    assert {field.name: str(field.type) for field in file.schema_arrow} == {
        "text": "string",
        "large": "large_string",
        "took": "duration[s]",
        "at": "timestamp[us, tz=Europe/Berlin]",
        "unseen": "list<element: string>",
    }
    assert file.schema_arrow.metadata == {b"model_version": b"3"}
    expected = coded().to_pylist()
    assert file.read().to_pylist() == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("csv", b'"text","unseen"\n"x","a"\n,""\n"x","b;a"\n'),
        ("jsonl", b'{"text":"x","unseen":["a"]}\n{"text":null}\n'
                  b'{"text":"x","unseen":["b","a"]}\n'),
    ],
)  # fmt: skip
def test_text_has_no_dictionaries_either(kind: Format, expected: Any) -> None:
    """A cell is its text."""
    table = coded().select(["text", "unseen"])
    assert encode(table, kind, compressed=False, header=True, metadata={}) == expected
