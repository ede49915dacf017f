"""Runs of questions about one category, answered at once.

A fitted tree knows a category as many columns of zeros and ones, and asks for one of them after
another: "is it 74_75? no: is it 41_42? no: ..." Such a run is a chain. It is left at the node that
asks for the record's category, or else at its end. Where it ends is known beforehand; a word of 64
bits tells for nearly all other categories that the chain does not ask for them; who is left is
looked up in a table of (chain, category).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from batch.columns.fields import Array, Mask

_BITS: Final = 64  # of the word of a chain
_MIXED: Final = np.uint64(0x9E3779B97F4A7C15)  # spreads keys over the table (Knuth, 6.4)
_FREE: Final = -1


class Chains:
    """The chains of an ensemble whose n nodes have an edge 2n to the left and 2n + 1 to the right.

    `begins` is the node that each edge leads to; the edges of a node that asks lead to itself, as
    its chain alone leads on. `ends` is twice the node that each edge leads to at last: the end of
    the chain that begins there.
    """

    def __init__(self, asks: Mask, group: Array, value: Array, below: Array) -> None:
        """`asks` (n,) tells which nodes belong to chains, `group` (n,) of which category they ask,
        and `value` (n,) for which code. `below` (n, 2) are the next nodes, the same node
        for leaves, which are the last ones."""
        head, last = _heads(asks, group, below)
        own = np.arange(len(asks), dtype=np.int32)
        inner = int(np.count_nonzero(below[:, 0] != own))
        word = self._table(asks, value, head, below[:, 1])
        begins = np.where(asks[:, None], own[:, None], below).ravel()
        self.begins = begins[: 2 * inner].copy()
        self._words = np.append(word[self.begins], np.uint64(0))  # the last: of all leaves
        own[head[last]] = below[last, 0]
        self.ends = own[begins].astype(np.int64)
        self.ends *= 2

    def leaving(self, edge: Array, bit: Array) -> Array:
        """Return the places in `edge` (n,) of the walkers that may leave a chain before its end,
        where `bit` (n,) is that of each one's category."""
        found: Array = np.flatnonzero(self._words.take(edge, mode="clip") & bit)
        return found

    def left(self, head: Array, code: Array) -> tuple[Array, Array]:
        """Return which of n walkers (one at least) leave the chain that begins at their `head`
        because of their category, and the nodes that they come to."""
        who = np.arange(len(head))
        key = head.astype(np.int64) * self._width + code
        slot = self._slots(key)
        places, nodes = [], []
        while len(who):
            found = self._keys.take(slot)
            same = found == key
            places.append(who[same])
            nodes.append(self._targets.take(slot[same]))
            on = ~same & (found != _FREE)
            who, key, slot = who[on], key[on], (slot[on] + 1) & self._last
        return np.concatenate(places), np.concatenate(nodes)

    def _slots(self, key: Array) -> Array:
        return ((key.view(np.uint64) * _MIXED) >> self._shift).astype(np.int64)

    def _table(self, asks: Mask, value: Array, head: Array, right: Array) -> Array:
        """Fill the table, in which who finds a slot taken takes the next one. Return the word (n,)
        of the chain that begins at each node."""
        # where a chain asks twice, the first question counts: it comes last here, and stays
        asking = np.flatnonzero(asks)[::-1]
        code = value[asking].astype(np.int64)
        word: Array = np.zeros(len(asks), dtype=np.uint64)
        np.bitwise_or.at(word, head[asking], bits(code))
        self._width = int(code.max()) + 2  # codes, and that of a new category: -1
        size = 1 << int(2 * len(code) - 1).bit_length()
        self._shift = np.uint64(_BITS + 1 - size.bit_length())
        self._last = size - 1
        self._keys = np.full(size, _FREE, dtype=np.int64)
        self._targets: Array = np.zeros(size, dtype=np.int32)
        key, target = head[asking] * np.int64(self._width) + code, right[asking]
        slot = self._slots(key)
        while len(key):
            free = self._keys[slot] == _FREE
            self._keys[slot[free]] = key[free]
            there = self._keys[slot] == key
            self._targets[slot[there]] = target[there]
            key, target, slot = key[~there], target[~there], (slot[~there] + 1) & self._last
        return word


def bits(codes: Array) -> Array:
    """Return the bit of each of (n,) categories in the word of a chain; none of a new one (-1)."""
    shifted = np.uint64(1) << (codes & (_BITS - 1)).astype(np.uint64)
    return np.where(codes < 0, np.uint64(0), shifted)


def _heads(asks: Mask, group: Array, below: Array) -> tuple[Array, Array]:
    """Return for each node that asks the one in which its chain begins (of the others, themselves),
    and the last node of each chain. No node has two above it."""
    head = np.arange(len(asks), dtype=np.int32)
    left = below[:, 0]
    asking = np.flatnonzero(asks)
    following = left[asking]
    goes_on = asks[following] & (group[following] == group[asking])
    head[following[goes_on]] = asking[goes_on]
    while (further := head[head]).tobytes() != head.tobytes():
        head = further
    return head, asking[~goes_on]
