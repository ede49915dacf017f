"""How much a pair comes to once it is looked into: an instruction of two bytes puts a list twice
into another one, and sixty of them a list of a billion billion items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from scoring.errors import ArtifactError
from scoring.saved.arrays import is_array
from scoring.saved.stand_ins import StandIn, walk

MAX_BYTES: Final = 1 << 30
_ITEM: Final = 64  # bytes that an item of a list takes about


def check_size(value: Any, limit: int = MAX_BYTES) -> None:
    """Raise ArtifactError where a value out of a file comes to more than `limit` bytes, each list,
    tuple, dictionary and array counted as often as it is held, or where one holds itself. An object
    counts once, however often it is held."""
    left, sizes = limit, dict[int, int]()
    for found in walk(value):
        if isinstance(found, StandIn) and not is_array(found):
            parts = (found.args, found.options, found.state, found.items, found.pairs)
            left -= sum(_size(part, sizes, limit) for part in parts)
            if left < 0:
                raise ArtifactError(f"what it holds comes to more than {limit >> 20} MiB")


def _size(value: Any, sizes: dict[int, int], limit: int) -> int:
    """Return what a value comes to, at most a little beyond the limit; `sizes` are those that are
    known, by identity, and -1 of one that is being counted."""
    waiting = [value]
    while waiting:
        found = waiting[-1]
        inside, own = _inside(found)
        if (known := sizes.get(id(found))) is not None and known >= 0:
            waiting.pop()
        elif known is None and (unknown := [part for part in inside if id(part) not in sizes]):
            sizes[id(found)] = -1
            waiting += unknown
        else:
            each = [sizes[id(part)] for part in inside]
            if -1 in each:
                raise ArtifactError("the file cannot be read: it holds a list that holds itself")
            sizes[id(found)] = min(own + sum(each), limit + 1)
            waiting.pop()
    return sizes[id(value)]


def _inside(found: Any) -> tuple[Iterable[Any], int]:
    """Return the containers within a value, and what it comes to without them."""
    items: list[Any] = []
    own = len(found) if isinstance(found, bytes | bytearray | str) else 0
    if isinstance(found, np.ndarray):
        items, own = (found.ravel().tolist(), 0) if found.dtype.hasobject else ([], found.nbytes)
    elif isinstance(found, StandIn) and is_array(found):
        items = [found.args, found.state]
    elif isinstance(found, dict):
        items = [*found.keys(), *found.values()]
    elif isinstance(found, list | tuple | set | frozenset):
        items = [*found]
    kinds = (list, tuple, dict, set, frozenset, bytes, bytearray, np.ndarray)
    inside = [
        item
        for item in items
        if isinstance(item, kinds) or (isinstance(item, StandIn) and is_array(item))
    ]
    return inside, own + _ITEM * len(items)
