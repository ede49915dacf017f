"""The scores of common categories for every number, worked out tree by tree with numpy."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scoring.models import Features
from scoring.scorers import means
from scoring.scorers.means import Means
from scoring.scorers.trees import Trees

_MAX_BYTES: Final = 4 * 1024 * 1024  # of the steps, in the file and in each worker
_OF_ONE: Final = 200  # bytes that values of categories take in a worker, beside their steps
_CELLS: Final = 500_000  # scores that are worked out at a time
_MAX_THRESHOLDS: Final = 2**16 - 1

Array = npt.NDArray[Any]


def with_steps(data: bytes, often: Sequence[Features]) -> bytes:
    """Return the bytes of a `scorer.means` file with the steps of as many of the categories' values
    `often`, those that are asked for most first, as 4 MB hold; the same bytes where there are none,
    or a record has no number beside its categories, or several."""
    scorer = means.read(data)
    values = _known(scorer, often)
    if len(scorer.numbers) != 1 or not values or scorer.trees.header.single:
        return data
    [number] = scorer.numbers
    thresholds = scorer.trees.thresholds(number)
    if len(thresholds) > _MAX_THRESHOLDS:
        return data
    begin, scores = array("H"), array("d")
    counts: list[int] = []
    room = _MAX_BYTES
    for totals in _each(scorer, values, thresholds):
        turns = np.flatnonzero(np.append(True, totals[1:] != totals[:-1]))
        room -= _OF_ONE + len(turns) * (begin.itemsize + scores.itemsize)
        if room < 0:
            break
        begin.extend(turns.tolist())
        scores.extend(map(scorer.trees.linked, totals[turns].tolist()))
        counts.append(len(turns))
    if not counts:
        return data
    told = means.Often(number=number, values=values[: len(counts)], counts=counts)
    return means.with_steps(data, told, begin, scores)


def _known(scorer: Means, often: Sequence[Features]) -> list[list[str]]:
    """Return the values of the scorer's categories, in their order, each combination once and those
    left out of which training never saw one."""
    known = scorer.header.categories
    found = dict.fromkeys(tuple(str(one.get(name)) for name in known) for one in often)
    return [
        [*values]
        for values in found
        if values
        and all(value in of.values for value, of in zip(values, known.values(), strict=True))
    ]


def _each(
    scorer: Means, values: Sequence[Sequence[str]], thresholds: Sequence[float]
) -> Iterator[Array]:
    """Yield the sums of leaves of each of `values`, by the interval in which the number lies."""
    [place] = scorer.numbers.values()
    rows = max(1, _CELLS // (len(thresholds) + 1))
    for start in range(0, len(values), rows):
        some = values[start : start + rows]
        named = (dict(zip(scorer.header.categories, of, strict=True)) for of in some)
        x = np.array([scorer.encoded(one)[0] for one in named])
        yield from _totals(scorer.trees, x, place, thresholds)


def _totals(trees: Trees, x: Array, number: int, thresholds: Sequence[float]) -> Array:
    """Return the sums of leaves, in the trees' order, of each row of `x`, (n_rows, n_numbers), for
    each interval between two of the thresholds that the number is compared with."""
    _, group, value, left, right = trees.nodes
    place = {threshold: count for count, threshold in enumerate(thresholds, start=1)}
    width = len(thresholds) + 1
    totals = np.zeros((len(x), width))
    for root in trees.nodes.roots:
        leaves = np.empty((len(x), width))
        # where nodes are reached: by which rows, in which intervals
        waiting = [(root, np.arange(len(x)), 0, width)]
        while waiting:
            node, rows, first, end = waiting.pop()
            if not len(rows) or first >= end:
                continue
            if group[node] < 0:
                leaves[rows, first:end] = value[node]
            elif group[node] == number:
                turn = place[value[node]]
                waiting.append((left[node], rows, first, min(end, turn)))
                waiting.append((right[node], rows, max(first, turn), end))
            else:
                above = x[rows, group[node]] > value[node]
                waiting.append((left[node], rows[~above], first, end))
                waiting.append((right[node], rows[above], first, end))
        totals += leaves
    return totals
