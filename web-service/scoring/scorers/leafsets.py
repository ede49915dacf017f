"""Small trees, evaluated without visiting a node: as sets of the leaves that can still be reached.

Each value of a feature rules out leaves: a distance of 3 miles all those behind "at most 2". For
every feature, the leaves that it leaves over are known beforehand, for each interval between two
thresholds and for each category. Their intersection over all features holds one leaf a tree: the
one in which the record ends. A set is a whole number with a bit a leaf, so that an intersection is
one operation for a hundred trees. (The idea is that of QuickScorer: Lucchese and others, 2015.)

Measured: 2.7 to 6.4 times as fast as walking 100 trees of boosting, 1.7 times with trees of four
leaves (medians of eleven pairs of 200 records each, two shared AMD EPYC cores, at 143e311).
"""

from __future__ import annotations

import operator
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Final

from scoring.scorers.tree_file import Nodes

_WORD: Final = 64  # bits
_MAX_LEAVES: Final = 4 * _WORD  # of one tree
_BLOCK: Final = 128  # trees whose leaves are in one set
_MAX_BYTES: Final = 32 * 1024 * 1024  # that all sets may take

# feature -> value that it is compared with -> the leaves to one side of such nodes
_Sides = dict[int, dict[float, int]]


class LeafSets:
    """The sets of an ensemble, a hundred trees a block."""

    def __init__(self, blocks: list[_Block]) -> None:
        self._blocks = blocks
        self.size = sum(block.size for block in blocks)  # bytes of what `left_over` returns

    def leaves(self, x: Sequence[float]) -> Iterator[float]:
        """Return what the leaves hold in which the record `x` ends, one a tree, in order (and zeros
        between them, where a tree is larger than a word)."""
        if len(self._blocks) == 1:
            return self._blocks[0].leaves(x)
        return chain.from_iterable(block.leaves(x) for block in self._blocks)

    def left_over(self, numbers: Sequence[tuple[int, float]]) -> tuple[int, ...]:
        """Return the leaves that some numbers leave over, each with its place in a record: a set
        for each block."""
        return tuple(block.left_over(block.full, numbers) for block in self._blocks)

    def leaves_in(
        self, sets: tuple[int, ...], numbers: Sequence[tuple[int, float]]
    ) -> Iterator[float]:
        """Return what `leaves` does of a record of which some numbers leave over `sets`; `numbers`
        are the others."""
        if len(self._blocks) == 1:
            return self._blocks[0].leaves_in(self._blocks[0].left_over(sets[0], numbers))
        return chain.from_iterable(
            block.leaves_in(block.left_over(reached, numbers))
            for block, reached in zip(self._blocks, sets, strict=True)
        )


def leaf_sets(nodes: Nodes, numbers: int) -> LeafSets | None:
    """Return the sets of an ensemble whose first `numbers` features are numbers and the others
    categories; None where walking its nodes takes less memory."""
    blocks, room = [], _MAX_BYTES
    for start in range(0, len(nodes.roots), _BLOCK):
        leaves: list[list[float]] = []
        left: _Sides = {}
        right: _Sides = {}
        full = 0
        for root in nodes.roots[start : start + _BLOCK]:
            order = _in_order(nodes, root)
            if len(order) > 2 * _MAX_LEAVES:
                return None
            full |= _sides(nodes, order, leaves, left, right)
        size = len(leaves) * _WORD // 8
        room -= size * sum(len(values) + 1 for values in left.values())
        if room < 0:
            return None
        blocks.append(_Block(numbers, leaves, left, right, full))
    return LeafSets(blocks)


class _Block:
    def __init__(
        self,
        numbers: int,
        leaves: list[list[float]],
        left: _Sides,
        right: _Sides,
        full: int,
    ) -> None:
        self.full = full
        self._leaves = leaves  # of each word, by how many bits its number has
        self.size = len(leaves) * _WORD // 8
        self._words = struct.Struct(f"<{len(leaves)}Q").unpack
        # of each number that is asked for, the thresholds, and the set for each interval
        self._numbers: dict[int, tuple[list[float], list[int]]] = {}
        self._categories: list[tuple[int, dict[float, int], int]] = []
        for feature in left:
            values = sorted(left[feature])
            lefts = [left[feature][value] for value in values]
            rights = [right[feature][value] for value in values]
            before = [0, *accumulate(lefts, operator.or_)]
            # rights[k:] together, for every k
            behind = [0, *accumulate(reversed(rights), operator.or_)][::-1]
            if feature < numbers:
                # between two thresholds: above all before, at most those behind
                sets = [full & ~(a | b) for a, b in zip(before, behind, strict=True)]
                self._numbers[feature] = values, sets
            else:
                ahead = [0, *accumulate(rights, operator.or_)]
                others = (a | b for a, b in zip(ahead, behind[1:], strict=False))
                sets = [full & ~(a | b) for a, b in zip(lefts, others, strict=True)]
                by_category = dict(zip(values, sets, strict=True))
                self._categories.append((feature, by_category, full & ~behind[0]))

    def leaves(self, x: Sequence[float]) -> Iterator[float]:
        reached = self.full
        for feature, (thresholds, sets) in self._numbers.items():
            reached &= sets[bisect_left(thresholds, x[feature])]
        for feature, by_category, other in self._categories:
            reached &= by_category.get(x[feature], other)
        return self.leaves_in(reached)

    def left_over(self, reached: int, numbers: Sequence[tuple[int, float]]) -> int:
        for feature, value in numbers:
            if feature in self._numbers:
                thresholds, sets = self._numbers[feature]
                reached &= sets[bisect_left(thresholds, value)]
        return reached

    def leaves_in(self, reached: int) -> Iterator[float]:
        words = self._words(reached.to_bytes(self.size, "little"))
        return map(operator.getitem, self._leaves, map(int.bit_length, words))


def _in_order(nodes: Nodes, root: int) -> list[int]:
    """Return a tree's nodes, each before what lies below it; at most some more than can be used."""
    order: list[int] = []
    waiting = [root]
    while waiting and len(order) <= 2 * _MAX_LEAVES:
        node = waiting.pop()
        order.append(node)
        if nodes.group[node] >= 0:
            waiting += (nodes.right[node], nodes.left[node])
    return order


def _sides(
    nodes: Nodes, order: list[int], leaves: list[list[float]], left: _Sides, right: _Sides
) -> int:
    """Return the set of all leaves of a tree; adds the tree's leaves to `leaves`, word by word, and
    those to the sides of its nodes to `left` and `right`."""
    first = len(leaves)
    below: dict[int, int] = {}
    ends = [node for node in order if nodes.group[node] < 0]
    for place, node in enumerate(ends):
        if place % _WORD == 0:
            leaves.append([0.0])  # a tree of several words ends in one of them
        bit = place % _WORD
        leaves[-1].append(nodes.value[node])
        below[node] = 1 << ((first + place // _WORD) * _WORD + bit)
    for node in reversed(order):
        feature = nodes.group[node]
        if feature < 0:
            continue
        one, other = below[nodes.left[node]], below[nodes.right[node]]
        below[node] = one | other
        for sides, reached in ((left, one), (right, other)):
            leaves_of = sides.setdefault(feature, {})
            leaves_of[nodes.value[node]] = leaves_of.get(nodes.value[node], 0) | reached
    return below[order[0]]
