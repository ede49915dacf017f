"""Predictions of which the truth is known: scores and truths, by hour, version and segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitoring import kept, truths
from monitoring.blocks import HOUR_US
from monitoring.hours import category
from monitoring.kept import ID, SEGMENT
from monitoring.store import Store
from scoring.profiles.numbers import Array

VERSION: Final = "version"


@dataclass(frozen=True)
class Outcomes:
    """n predictions; every column is n long."""

    hour: Array  # int64, since 1970
    score: Array  # float64
    actual: Array  # float64; of a class 1 or 0; NaN where the truth is not known
    table: pa.Table  # version and segments

    def __len__(self) -> int:
        return len(self.score)

    @cached_property
    def segments(self) -> Mapping[str, tuple[Array, Sequence[str]]]:
        """Codes (-1: missing) and the categories that they stand for, by field."""
        return {
            name.removeprefix(SEGMENT): _coded(self.table.column(name))
            for name in self.table.column_names
            if name.startswith(SEGMENT)
        }

    @cached_property
    def versions(self) -> tuple[Array, Sequence[str]]:
        """Codes and the versions that they stand for."""
        return _coded(self.table.column(VERSION))

    def of(self, inside: Array) -> Outcomes:
        """Return those of which `inside`, n bools, is true."""
        table = self.table.filter(pa.array(inside))
        return Outcomes(self.hour[inside], self.score[inside], self.actual[inside], table)

    def between(self, first: int, end: int) -> Outcomes:
        """Return those of the hours from `first` to before `end`."""
        return self.of((self.hour >= first) & (self.hour < end))

    @property
    def known(self) -> Outcomes:
        """Those whose truth is known."""
        return self.of(~np.isnan(self.actual))


def outcomes(
    store: Store, model: str, first: int, end: int, *, untold: bool = True
) -> Outcomes | None:
    """Return the predictions of these hours that are kept, each with the truth that came last; None
    where none are, and, unless `untold`, where the model has no truths at all."""
    told = store.truths(model)
    if not told and not untold:
        return None
    parts = [part for one in store.predictions(model, first, end)
             if len(part := _of(one, first, end))]  # fmt: skip
    if not parts:
        return None
    table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    return Outcomes(
        table.column("time").to_numpy() // HOUR_US,
        table.column("score").to_numpy(),
        joined(table, told),
        table,
    )


def joined(table: pa.Table, known: Sequence[tuple[str, bytes]]) -> Array:
    """Return the truth of each prediction of the table, NaN where none is known; `known` are keys'
    names and contents, in the order in which they came."""
    actual = np.full(len(table), np.nan)
    for key, group in groupby(known, key=lambda one: one[0]):
        own = keys_of(table, key)
        if own is None:
            continue
        # the last first: what is found is the first of equals
        parts = [truths.table_of(content) for _, content in reversed(list(group))]
        told = pa.concat_tables([part.take(pa.array(range(len(part) - 1, -1, -1)))
                                 for part in parts])  # fmt: skip
        theirs = _ids(
            told.column("key"), told.column("index") if key == truths.REQUEST_ID else None
        )
        place = pc.index_in(own, value_set=theirs.combine_chunks())
        found = pc.fill_null(place, -1).to_numpy()
        some = found >= 0
        actual[some] = told.column("actual").to_numpy()[found[some]]
    return actual


def keys_of(table: pa.Table, key: str) -> Any:
    """Return what a truth's key is compared with; None where the predictions have no such thing."""
    if key == truths.REQUEST_ID:
        return _ids(table.column(key), table.column("index"))
    for prefix in (ID, SEGMENT):
        if prefix + key in table.column_names:
            return table.column(prefix + key).cast(pa.string())
    return None


def _ids(ids: Any, index: Any) -> Any:
    if index is None:
        return ids
    return pc.binary_join_element_wise(ids, index.cast(pa.string()), "/")


def _of(one: Any, first: int, end: int) -> pa.Table:
    table = kept.table_of(one)
    hour = table.column("time").to_numpy() // HOUR_US
    table = table.filter(pa.array((hour >= first) & (hour < end)))
    # a field's type may differ from version to version
    plain = {name: column.cast(pa.string()) if name.startswith(SEGMENT) else column
             for name, column in zip(table.column_names, table.columns, strict=True)}  # fmt: skip
    return pa.table({**plain, VERSION: pa.repeat(one.version, len(table))})


def _coded(column: Any) -> tuple[Array, Sequence[str]]:
    found = category(column.combine_chunks())
    return found.codes, found.names
