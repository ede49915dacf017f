"""Many records through many large trees in one pass of numpy, imported where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring.scorers.tree_file import Header, Nodes

_CELLS: Final = 1_000_000  # records times trees that are walked at a time: some 50 MB
_A_NODE: Final = 16  # records times trees a node, from which on all that reach it go on together


def totals(header: Header, nodes: Nodes, rows: Sequence[Sequence[float]]) -> list[float]:
    """Return n_records sums of leaves; `rows` are (n_records, n_numbers + n_categories). With
    `header.single`, the base is part of each sum."""
    x = np.asarray(rows, dtype=np.float64)
    if len(x) * len(nodes.roots) >= _A_NODE * len(nodes.group):
        return _together(header, nodes, x)
    group = np.frombuffer(nodes.group, dtype="h").astype(np.intp)
    value = np.frombuffer(nodes.value, dtype="d")
    is_number = group < len(header.numbers)
    below = np.stack([np.frombuffer(side, dtype="i") for side in (nodes.left, nodes.right)], axis=1)
    below = below.astype(np.intp).ravel()  # of node n, left at 2n and right at 2n + 1
    roots = np.frombuffer(nodes.roots, dtype="i").astype(np.intp)
    scores: list[float] = []
    for part in np.array_split(x, max(1, len(x) * len(roots) // _CELLS)):
        leaves = np.empty(len(part) * len(roots))
        # one walker a record and tree: where it is, where its record begins, where its leaf goes
        node = np.tile(roots, len(part))
        begin = np.repeat(np.arange(len(part)) * x.shape[1], len(roots))
        place = np.arange(len(node))
        flat = part.ravel()
        while len(node):
            feature = group.take(node)
            arrived = feature < 0
            if arrived.any():
                leaves[place[arrived]] = value.take(node[arrived])
                on = np.flatnonzero(~arrived)
                node, begin, place, feature = node[on], begin[on], place[on], feature[on]
            number, compared = flat.take(begin + feature), value.take(node)
            right = np.where(is_number.take(node), number > compared, number == compared)
            node = below.take(2 * node + right)
        scores += _sums(header, leaves.reshape(len(part), len(roots)))
    return scores


def _together(header: Header, nodes: Nodes, x: npt.NDArray[np.float64]) -> list[float]:
    """Return what `totals` does, node by node: the records that reach one are sent on at once."""
    columns = np.ascontiguousarray(x.T)
    kind = np.float32 if header.single else np.float64
    first = header.base if header.single else -0.0  # which adds nothing
    sums: npt.NDArray[Any] = np.full(len(x), first, dtype=kind)
    leaves: npt.NDArray[Any] = np.empty(len(x), dtype=kind)
    for root in nodes.roots:
        waiting = [(root, np.arange(len(x)))]
        while waiting:
            node, rows = waiting.pop()
            feature, compared = nodes.group[node], nodes.value[node]
            if feature < 0:
                leaves[rows] = compared
                continue
            values = columns[feature].take(rows)
            right = values > compared if feature < len(header.numbers) else values == compared
            for side, some in ((nodes.left, ~right), (nodes.right, right)):
                if len(reached := rows[some]):
                    waiting.append((side[node], reached))
        sums += leaves
    found: list[float] = sums.tolist()
    return found


def _sums(header: Header, leaves: npt.NDArray[np.float64]) -> list[float]:
    if not header.single:
        # one after the other, as for a single record: the same numbers to the last bit
        sums: list[float] = np.add.accumulate(leaves, axis=1)[:, -1].tolist()
        return sums
    first = np.full((len(leaves), 1), header.base)
    ordered = np.hstack([first, leaves]).astype(np.float32)
    singles: list[float] = np.add.accumulate(ordered, axis=1)[:, -1].tolist()
    return singles
