r"""Trees over columns: all rows of a block walk through a tree together, a level at a time.

    numbers -> ranks among the thresholds \
    categories -> codes, some as 0 and 1 -> sorted, distinct -> walked -> leaves -> sums
                                                                 \-> runs of questions: chains.py

Sorted, neighbours take the same way, and what they look up is in the processor's cache. Rows that
no tree can tell apart are one. The leaves are added up in the order of the trees, as for a single
record: sums are the same to the last bit. Trees over one number and one category have a quicker
form: pieces.py.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from batch.columns.chains import Chains, bits
from batch.columns.fields import Array
from scoring.scorers.tree_file import Header, Nodes

_WALKERS: Final = 1 << 14  # rows times trees at a time, whose arrays the processor's cache holds
_CELLS: Final = 1 << 22  # of a block's columns, 4 bytes each at most
_FEW: Final = 32  # categories that are asked for as columns of 0 and 1
_MAX_COLUMNS: Final = 128  # that are made of them
_PAYS: Final = 1 << 12  # rows that are worth a thread
_DONE: Final = 5  # a walk goes on without those at leaves as soon as they are one in so many


@dataclass(frozen=True)
class _Block:
    """Rows that are walked together."""

    rows: int
    ranks: Array  # (n_columns * rows,) int16 or, of more thresholds than it counts, int32
    codes: Array  # (n_large * rows,) int64
    bits: Array  # (n_large * rows,) of the codes


class Forest:
    """An ensemble of trees, for many rows. Node n goes by the number 2n, that of its edge to the
    left; its edge to the right is 2n + 1."""

    def __init__(self, header: Header, nodes: Nodes) -> None:
        """Lay out the nodes for walking: those that ask, then the leaves."""
        self._header = header
        numbers = len(header.numbers)
        self._sizes = [len(values) for values in header.categories.values()]
        self._columns = _columns(numbers, self._sizes)
        self._large = [g for g in range(len(self._sizes)) if g not in self._columns]
        self._width = max(1, numbers + sum(self._sizes[g] for g in self._columns))
        group, value, below, roots = _leaves_last(nodes)
        inner = int(np.count_nonzero(group >= 0))
        self._first_leaf = 2 * inner
        self._values = value[inner:].copy()  # not a view of them all
        self._roots = 2 * roots.astype(np.int64)

        column: Array = np.zeros(len(group), dtype=np.int32)
        self._thresholds = [np.unique(value[group == number]) for number in range(numbers)]
        most = max(map(len, self._thresholds), default=0)
        self._kind = np.int16 if most < np.iinfo(np.int16).max else np.int32
        threshold = np.full(len(group), np.iinfo(self._kind).max, dtype=self._kind)
        for number, found in enumerate(self._thresholds):
            at = group == number
            threshold[at] = np.searchsorted(found, value[at])
            column[at] = number
        for place, first in self._columns.items():
            at = group == numbers + place
            column[at] = first + value[at].astype(np.int32)
            threshold[at] = 0
        # by edges; the last is that of all leaves
        self._threshold = np.repeat(threshold[: inner + 1], 2)
        self._column = np.repeat(column[: inner + 1], 2) if self._width > 1 else None

        asks = np.isin(group, [numbers + place for place in self._large])
        self._chains, self._asked = None, None
        if asks.any():
            self._chains = Chains(asks, group, value, below)
            self._next = self._chains.ends
        else:
            self._next = below.ravel().astype(np.int64)
            self._next *= 2
        if len(self._large) > 1:
            of_group: Array = np.zeros(numbers + len(self._sizes) + 1, dtype=np.int64)
            of_group[[numbers + place for place in self._large]] = range(len(self._large))
            self._asked = of_group[group]

    def sums(self, numbers: Sequence[Array], codes: Sequence[Array]) -> Array:
        """Return the sums of leaves of n rows, in order; with `header.single`, the base is part of
        each. `numbers` are (n,) float64 each, `codes` (n,) int64, -1 for a new category."""
        ranks = [
            np.searchsorted(thresholds, column)
            for thresholds, column in zip(self._thresholds, numbers, strict=True)
        ]
        rows, places = distinct([*(column + 1 for column in codes), *ranks])
        blocks = np.array_split(rows, self._blocks(len(rows)))

        def summed(some: Array) -> Array:
            return self._summed(self._block([r[some] for r in ranks], [c[some] for c in codes]))

        if len(blocks) == 1:
            return summed(rows)[places] if len(rows) else np.empty(0)
        return np.concatenate([*_pool(pa.cpu_count()).map(summed, blocks)])[places]

    def _blocks(self, rows: int) -> int:
        """Return in how many blocks rows are walked: as many as there are cores, if that pays, and
        more where they would be too large."""
        largest = max(1, min(_WALKERS, _CELLS // self._width))
        return int(max(1, -(-rows // largest), min(pa.cpu_count(), rows // _PAYS)))

    def _block(self, ranks: Sequence[Array], codes: Sequence[Array]) -> _Block:
        rows = len((*ranks, *codes)[0])
        table: Array = np.zeros((self._width, rows), dtype=self._kind)
        for number, rank in enumerate(ranks):
            table[number] = rank
        for place, first in self._columns.items():
            size = self._sizes[place]
            table[first : first + size] = codes[place] == np.arange(size)[:, None]
        large: Array = np.array([codes[place] for place in self._large], dtype=np.int64).ravel()
        return _Block(rows, table.ravel(), large, bits(large))

    def _summed(self, block: _Block) -> Array:
        single = self._header.single
        kind = np.float32 if single else np.float64
        sums: Array = np.full(block.rows, self._header.base if single else -0.0, dtype=kind)
        trees = max(1, _WALKERS // block.rows)
        for start in range(0, len(self._roots), trees):
            leaves = self._walked(block, self._roots[start : start + trees])
            values = self._values.take((leaves - self._first_leaf) >> 1).astype(kind, copy=False)
            for each in values.reshape(-1, block.rows):
                sums += each  # one after the other; the first one to -0.0, which changes nothing
        return sums.astype(np.float64, copy=False)

    def _walked(self, block: _Block, roots: Array) -> Array:
        """Return the leaf of each tree and row, tree by tree."""
        at = np.repeat(roots, block.rows)
        row = np.tile(np.arange(block.rows), len(roots))
        rank = block.ranks.take(row) if self._column is None else None
        bit = block.bits.take(row) if len(self._large) == 1 else None
        found, place = at, None
        while True:
            x = rank
            if x is None:
                assert self._column is not None  # noqa: S101  # for the type checker
                x = block.ranks.take(self._column.take(at, mode="clip") * block.rows + row)
            edge = at + (x > self._threshold.take(at, mode="clip"))
            at = self._next.take(edge)
            if self._chains is not None:
                self._leave(self._chains, block, at, edge, row, bit)
            done = at >= self._first_leaf
            count = np.count_nonzero(done)
            if count < len(at) and count * _DONE <= len(at):
                continue
            if place is None:
                found, place = at, np.arange(len(at))
            else:
                found[place] = at
            if count == len(at):
                return found
            on = np.flatnonzero(~done)
            at, row, place = at[on], row[on], place[on]
            rank = None if rank is None else rank[on]
            bit = None if bit is None else bit[on]

    def _leave(
        self, chains: Chains, block: _Block, at: Array, edge: Array, row: Array, bit: Array | None
    ) -> None:
        """Move those of `at` that leave a chain, at whose end they are, because of their category;
        `edge` led them to its beginning."""
        cell = row
        if self._asked is not None:
            cell = self._asked.take(chains.begins.take(edge, mode="clip")) * block.rows + row
        who = chains.leaving(edge, block.bits.take(cell) if bit is None else bit)
        if len(who):
            places, nodes = chains.left(chains.begins.take(edge[who]), block.codes.take(cell[who]))
            at[who[places]] = 2 * nodes.astype(np.int64)


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return the threads that walk: together as many as there are cores, for all parts at work."""
    return ThreadPoolExecutor(threads, thread_name_prefix="walk")


def _columns(numbers: int, sizes: Sequence[int]) -> dict[int, int]:
    """Return the places of the categories that become columns of 0 and 1, with the first of each
    one's columns, behind those of the `numbers`."""
    found: dict[int, int] = {}
    width = 0
    for place, size in enumerate(sizes):
        if size <= _FEW and width + size <= _MAX_COLUMNS:
            found[place] = numbers + width
            width += size
    return found


def _leaves_last(nodes: Nodes) -> tuple[Array, Array, Array, Array]:
    """Return group (n,), value (n,), next nodes (n, 2; leaves: themselves) and roots, with the
    leaves behind all other nodes."""
    group = np.frombuffer(nodes.group, dtype="h")
    leaf = group < 0
    order = np.argsort(leaf, kind="stable")
    place: Array = np.empty(len(group), dtype=np.int32)
    place[order] = np.arange(len(group), dtype=np.int32)
    sides = [np.frombuffer(side, dtype="i") for side in (nodes.left, nodes.right)]
    below: Array = np.empty((len(group), 2), dtype=np.int32)
    for number, side in enumerate(sides):
        below[:, number] = place.take(side.take(order), mode="clip")  # leaves have none
    own = np.arange(len(group) - leaf.sum(), len(group), dtype=np.int32)
    below[len(group) - len(own) :] = own[:, None]
    value = np.frombuffer(nodes.value, dtype="d")[order]
    return group[order], value, below, place[np.frombuffer(nodes.roots, dtype="i")]


def distinct(columns: Sequence[Array]) -> tuple[Array, Array]:
    """Return a row of each distinct combination, sorted, and each row's place among them. The
    `columns` are (n,) whole numbers from 0 on."""
    codes: Array = np.zeros(len(columns[0]), dtype=np.int64)
    size = 1
    for column in columns:
        width = int(column.max(initial=0)) + 1
        if size * width >= 1 << 62:
            _, codes = np.unique(codes, return_inverse=True)
            size = int(codes.max(initial=0)) + 1
        codes = codes * width + column
        size *= width
    _, rows, places = np.unique(codes, return_index=True, return_inverse=True)
    return rows, places
