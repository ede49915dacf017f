"""What is kept of each prediction so that truth may come later: ids, time, score, segments."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitoring.blocks import HASHED, Block
from monitoring.entries import Kept
from monitoring.numpy_arrow import as_arrow
from scoring.profiles.fields import FieldKind

Ids = Literal["plain", "hash", "none"]

SEGMENT: Final = "segment:"  # columns of categories
ID: Final = "id:"  # columns of the caller's ids
_DIGITS: Final = 32


@dataclass(frozen=True)
class Keeper:
    """Makes what is kept: ids as they are, or as a hash under the secret, or nothing at all."""

    ids: Ids = "plain"
    secret: str = ""

    def kept(self, block: Block, kinds: Mapping[str, FieldKind]) -> Kept:
        """Return the predictions of a block."""
        columns = {
            "request_id": self.named(block.request_id),
            "index": block.index,
            "time": as_arrow(block.time),
            "score": as_arrow(block.score),
        }
        for name, kind in kinds.items():
            if kind == "category" and name in block.features:
                columns[SEGMENT + name] = block.features[name]
        columns |= {ID + name: self.named(column) for name, column in block.ids.items()}
        sink = pa.BufferOutputStream()
        coded = [name for name in columns if name.startswith(SEGMENT)]
        pq.write_table(
            pa.table(columns), sink, compression="zstd", use_dictionary=coded,
            # bytes of like weight side by side: zstd takes a third of the time over them
            column_encoding=dict.fromkeys(("time", "score"), "BYTE_STREAM_SPLIT"),
            write_statistics=False,
        )  # fmt: skip
        return Kept(block.version, block.digest, sink.getvalue().to_pybytes())

    def named(self, ids: pa.Array) -> pa.Array:
        """Return ids as they are kept."""
        if self.ids != "hash":
            return ids.cast(pa.string())
        key = self.secret.encode()
        return pa.array(
            [
                None if one is None
                else HASHED + hmac.new(key, str(one).encode(), hashlib.sha256).hexdigest()[:_DIGITS]
                for one in ids.to_pylist()
            ],
            pa.string(),
        )  # fmt: skip


def table_of(kept: Kept) -> pa.Table:
    """Return the predictions as a table."""
    return pq.ParquetFile(pa.BufferReader(kept.content)).read()


def keys(request_id: pa.Array, index: pa.Array, time: pa.Array) -> pa.Array:
    """Return what tells one prediction from any other: a caller may send an id again later."""
    return pc.binary_join_element_wise(
        request_id, index.cast(pa.string()), time.cast(pa.string()), "/"
    )


def ids_of(some: Sequence[Kept]) -> Iterator[pa.Array]:
    """Yield the request ids of each of these parts."""
    for kept in some:
        yield table_of(kept).column("request_id").combine_chunks()


def keys_of(some: Sequence[Kept]) -> Iterator[pa.Array]:
    """Yield those keys of each of these parts."""
    for kept in some:
        table = table_of(kept).combine_chunks()
        if len(table):
            yield keys(*(table.column(n).chunk(0) for n in ("request_id", "index", "time")))
