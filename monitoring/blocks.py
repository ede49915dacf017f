"""A block of a prediction log: many predictions of one version, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitoring.numpy_arrow import as_arrow, as_numpy
from scoring.profiles.numbers import Array

HASHED: Final = "hmac:"  # how a value begins that PREDICTION_LOG_HASH names
HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True)
class Block:
    """n predictions; every column is n long."""

    model: str
    version: str
    digest: str  # sha256 of the model's file
    time: Array  # int64, microseconds since 1970, UTC
    request_id: pa.Array
    index: pa.Array
    score: Array  # float64
    unseen: Array  # bool: some category was not known
    features: dict[str, pa.Array]
    ids: dict[str, pa.Array]  # what the caller has in the record beside the fields

    def __len__(self) -> int:
        return len(self.time)

    @property
    def hours(self) -> Array:
        """Return the hour of each prediction since 1970."""
        return self.time // HOUR_US

    def taken(self, places: Array) -> Block:
        """Return the predictions at these places, in their order."""
        chosen = as_arrow(places)
        return Block(
            self.model,
            self.version,
            self.digest,
            self.time[places],
            self.request_id.take(chosen),
            self.index.take(chosen),
            self.score[places],
            self.unseen[places],
            {name: column.take(chosen) for name, column in self.features.items()},
            {name: column.take(chosen) for name, column in self.ids.items()},
        )


def split(table: pa.Table) -> Iterator[Block]:
    """Yield the predictions of each version in a table with the log's columns.

    `features` and, if there are any, `ids` are structs. Raises pyarrow's errors where a column is
    not what the log has, and ValueError where a value is missing.
    """
    table = table.combine_chunks()
    coded = [_coded(_one(table, name)) for name in ("model", "version", "digest")]
    for name in ("time", "request_id", "index", "score", "features"):
        if table.column(name).null_count:
            raise ValueError(f"{name} is missing")
    if all(len(names) == 1 for _, names in coded):
        yield _block(table, *(names[0] for _, names in coded))
        return
    keys = np.stack([codes for codes, _ in coded])
    distinct, first, place = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    for version in np.argsort(first).tolist():
        own = zip(coded, distinct[:, version].tolist(), strict=True)
        some = table.take(as_arrow(np.flatnonzero(place == version)))
        yield _block(some, *(names[code] for (_, names), code in own))


def _block(table: pa.Table, model: str, version: str, digest: str) -> Block:
    time = _one(table, "time")
    if not pa.types.is_timestamp(time.type):
        time = time.cast(pa.timestamp("us", "UTC"))
    time = time.cast(pa.timestamp("us", time.type.tz), safe=False)
    unseen = np.zeros(len(table), bool)
    if "unseen" in table.column_names:
        lengths = pc.list_value_length(_one(table, "unseen"))
        unseen = as_numpy(lengths) > 0  # not where it is missing: NaN
    return Block(
        model,
        version,
        digest,
        as_numpy(time.cast(pa.int64())),
        _one(table, "request_id").cast(pa.string()),
        _one(table, "index").cast(pa.int32()),
        as_numpy(_one(table, "score").cast(pa.float64())),
        unseen,
        _children(table, "features"),
        _children(table, "ids"),
    )


def _coded(column: pa.Array) -> tuple[Array, list[str]]:
    """Return codes and the texts that they stand for."""
    if column.null_count:
        raise ValueError("model, version or digest is missing")
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    return as_numpy(column.indices), column.dictionary.cast(pa.string()).to_pylist()


def _children(table: pa.Table, name: str) -> dict[str, pa.Array]:
    if name not in table.column_names or not pa.types.is_struct(table.schema.field(name).type):
        return {}
    column = _one(table, name)
    found = {}
    for place, field in enumerate(column.type):
        child = pc.struct_field(column, [place])
        if child.null_count < len(child):
            found[field.name] = child
    return found


def _one(table: pa.Table, name: str) -> Any:
    column = table.column(name)
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks()
