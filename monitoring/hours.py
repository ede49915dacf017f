"""From a block of predictions to a profile for each hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitoring.blocks import HASHED, Block
from monitoring.numpy_arrow import as_numpy
from monitoring.repeats import came_before
from scoring.profiles.categories import text_of
from scoring.profiles.fields import FieldKind
from scoring.profiles.numbers import scale_for
from scoring.profiles.profile import CategoryColumn, Column, NumberColumn, Profile, count


def in_order(block: Block) -> Block:
    """Return the predictions ordered by hour; itself, where they are so already."""
    hours = block.hours
    if (hours[1:] >= hours[:-1]).all():
        return block
    return block.taken(np.argsort(hours, kind="stable"))


def columns_of(block: Block, kinds: Mapping[str, FieldKind]) -> dict[str, Column]:
    """Return the fields that the block has, as what is counted."""
    return {
        name: _number(block.features[name]) if kind == "number" else category(block.features[name])
        for name, kind in kinds.items()
        if name in block.features
    }


def profiles(
    block: Block, kinds: Mapping[str, FieldKind], scales: Mapping[str, int], now_us: int
) -> dict[int, Profile]:
    """Return a profile for each hour in which there is a prediction of the block, which is in
    order. Predictions of later than `now_us` are counted as of the future, too."""
    hours = block.hours
    starts = np.flatnonzero(np.concatenate([[True], hours[1:] != hours[:-1]]))
    made = count(block.model, columns_of(block, kinds), block.score, scales, starts.tolist())
    unseen = np.add.reduceat(block.unseen.astype(np.int64), starts)
    future = np.add.reduceat((block.time > now_us).astype(np.int64), starts)
    again = np.add.reduceat(came_before(block.request_id, as_numpy(block.index)), starts)
    found = {}
    for place, start in enumerate(starts.tolist()):
        tallies = {"unseen": unseen[place], "future": future[place], "again": again[place]}
        found[int(hours[start])] = replace(
            made[place], tallies={name: int(n) for name, n in tallies.items() if n}
        )
    return found


def scales_of(block: Block, kinds: Mapping[str, FieldKind]) -> dict[str, int]:
    """Return the scale that suits each number of the block, of the score under the empty name."""
    found = {"": scale_for(block.score)}
    for name, column in columns_of(block, kinds).items():
        if isinstance(column, NumberColumn):
            found[name] = scale_for(column.values[~np.isnan(column.values)])
    return found


def category(column: pa.Array) -> CategoryColumn:
    """Return codes and categories of a column of any type."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = as_numpy(column.indices)
    if column.null_count:
        codes = np.nan_to_num(codes, nan=-1).astype(np.int64)
    names = [text_of(value) for value in column.dictionary.to_pylist()]
    return CategoryColumn(codes, names, hidden=bool(names) and names[0].startswith(HASHED))


def _number(column: pa.Array) -> NumberColumn:
    if pa.types.is_string(column.type):  # hashes
        known = pc.is_valid(column).to_numpy(zero_copy_only=False)
        return NumberColumn(np.full(len(column), np.nan), known)
    return NumberColumn(as_numpy(column.cast(pa.float64(), safe=False)))
