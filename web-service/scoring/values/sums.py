"""Sums of numbers one after the other, each rounded, as a column is added up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Final


def one_by_one(values: Iterable[float]) -> float:
    """Return the sum of one or more numbers."""
    *_, total = accumulate(values)
    return total


# `sum` makes up for what rounding loses from Python 3.12 on; before, it is this, a tenth as long.
in_order: Final[Callable[[Iterable[float]], float]] = (
    one_by_one if sys.version_info >= (3, 12) else sum
)
