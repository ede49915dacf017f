"""Guesses from one column of a table: its kind, its limits, an example."""

from __future__ import annotations

import math
from typing import Any, Final

import pandas as pd

from training.sketch.model_file import Field
from training.sketch.names import identifier

MAX_CHOICES: Final = 50


def field_of(column: pd.Series[Any], choices: tuple[str, ...] | None = None) -> Field:
    """Return the field that stands for a column: a category where its texts are few, or are the
    `choices`; one that may be null where it is missing in some rows. Limits are beyond what was
    seen: at most a half further, in round numbers."""
    name, there = str(column.name), column.dropna()
    missing = f"missing in {1 - len(there) / len(column):.1%} of the rows" if len(column) else ""
    optional = 0 < len(there) < len(column)
    missing = missing if optional else ""
    example = there.iloc[0] if len(there) else ""
    if len(there) and (pd.api.types.is_bool_dtype(there) or {*map(type, there)} == {bool}):
        return Field(identifier(name), name, "flag", bool(example), description=missing,
                     optional=optional)  # fmt: skip
    if pd.api.types.is_numeric_dtype(there) and len(there):
        low, high = float(there.min()), float(there.max())
        whole = bool((there == there.round()).all()) and abs(high) < 2**53
        seen = f"from {low:g} to {high:g} in the data"
        words = f"{seen}; {missing}" if missing else seen
        return Field(
            identifier(name), name, "integer" if whole else "number",
            int(example) if whole else float(example),
            low=floor_of(low), high=ceiling_of(high), description=words, optional=optional,
        )  # fmt: skip
    texts = tuple(sorted({str(value) for value in there}))
    found = choices if choices is not None else texts
    example = str(example) if str(example) in found or not found else found[0]
    if found and len(found) <= MAX_CHOICES:
        return Field(identifier(name), name, "category", example, found, description=missing,
                     optional=optional)  # fmt: skip
    words = f"{len(found)} different ones in the data"
    return Field(identifier(name), name, "text", example,
                 description=f"{words}; {missing}" if missing else words,
                 optional=optional)  # fmt: skip


def ceiling_of(value: float) -> float:
    """Return a round number at or above a half more than `value`: 1, 2 or 5 times a power of ten.
    Of 72 it is 200; of zero and less, zero."""
    if value <= 0:
        return 0.0
    wanted = 1.5 * value
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(round(n * power, 12) for n in (1, 2, 5, 10) if n * power >= wanted)


def floor_of(value: float) -> float:
    """Return zero, or the negative of such a number."""
    return 0.0 if value >= 0 else -ceiling_of(-value)
