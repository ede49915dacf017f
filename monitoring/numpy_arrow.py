"""Between numpy and Arrow without pandas.

`pa.array`, `pa.scalar` and `to_numpy` import pandas where it is installed, to ask whether they were
given a series; that takes longer than reading a hundred thousand predictions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from scoring.profiles.numbers import Array

_SAME: Final = ("int8", "int16", "int32", "int64", "double")  # named alike in numpy


def as_arrow(values: Array) -> pa.Array:
    """Return n numbers for Arrow, without a copy."""
    values = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def as_numpy(column: pa.Array) -> Array:
    """Return n numbers for numpy, of which some are NaN where values are missing; without a copy
    where none is, and then not to be written to."""
    name = str(column.type)
    if name not in _SAME or column.null_count or not len(column):
        found: Array = column.to_numpy(zero_copy_only=False)
        return found
    kind = np.dtype(name)
    _, numbers = column.buffers()
    return np.frombuffer(numbers, kind, len(column), column.offset * kind.itemsize)


def repeated(text: str, rows: int) -> pa.DictionaryArray:
    """Return a text in so many rows."""
    content = text.encode()
    ends = np.array([0, len(content)], np.int32)
    texts = pa.StringArray.from_buffers(1, pa.py_buffer(ends), pa.py_buffer(content))
    return pa.DictionaryArray.from_arrays(as_arrow(np.zeros(rows, np.int32)), texts)
