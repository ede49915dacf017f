"""Random numbers that are the same in each test, whichever tests ran before it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_MADE: Final[list[np.random.Generator]] = []
_AT_FIRST: Final[dict[int, Any]] = {}


def generator(seed: int) -> np.random.Generator:
    """Return a generator for the tests of a file; each of them begins where the first one does."""
    made = np.random.default_rng(seed)
    _MADE.append(made)
    return made


def begin_anew() -> None:
    """Set every generator back to where it was once its file was imported."""
    for place, made in enumerate(_MADE):
        made.bit_generator.state = _AT_FIRST.setdefault(place, made.bit_generator.state)
