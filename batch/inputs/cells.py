"""Columns of text cells as columns of values: what Arrow surely reads as `scoring.cells` reads a
single cell, a column at a time."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN: Final = {"integer": r"^-?[0-9]{1,15}$", "number": r"^-?[0-9]{1,15}(\.[0-9]{1,20})?$"}
_TYPES: Final = {"integer": pa.int64(), "number": pa.float64()}


def type_of(kind: str) -> pa.DataType:
    """Return the type as which a column of a kind is read."""
    return _TYPES.get(kind, pa.dictionary(pa.int32(), pa.string()))


def column(texts: pa.Array, kind: str) -> pa.Array:
    """Return the values of n cells; nothing (null) where a cell is not plainly of the kind."""
    if kind not in _PLAIN:
        return texts
    bare = pc.utf8_trim_whitespace(texts)
    plain = pc.match_substring_regex(bare, _PLAIN[kind])
    return pc.if_else(plain, bare, None).cast(_TYPES[kind])
