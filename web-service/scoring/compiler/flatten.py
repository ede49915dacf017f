"""From the trees of an ensemble to arrays of nodes.

However an estimator rounds and compares, a node here asks "is the number at most this?" of a
float64: the thresholds are moved to where the answers are the same.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.compiler.ensembles import Ensemble, NotFlat, Tree
from scoring.scorers.tree_file import Header, Nodes
from scoring.scorers.tree_nodes import DAMAGED, sound

Array = npt.NDArray[Any]

_MOST = sys.float_info.max  # above every threshold, and its negative below
_NEVER = -2.0  # no category has this place in its list


def build_nodes(
    found: Ensemble,
    names: Sequence[str],
    columns: Array,
    separator: str,
    *,
    absent_is_missing: bool,
    importances: list[float] | None,
    may_be_absent: Collection[str] = (),
) -> tuple[Header, Nodes]:
    """Return the file's parts. `names` are the vectorizer's columns; `columns` says which of them
    the estimator's are. A category's column that is not the record's is zero to the estimator, or
    missing (`absent_is_missing`); so is a number that it lacks, of those that `may_be_absent`."""
    numbers = [name for name in names if separator not in name]
    unsure = [name for name in numbers if absent_is_missing and name in may_be_absent]
    categories: dict[str, list[str]] = {}
    codes = []
    for name in names:
        head, there, value = name.partition(separator)
        if there:
            categories.setdefault(head, []).append(value)
        codes.append(len(categories[head]) - 1 if there else -1)
    places = {name: place for place, name in enumerate([*numbers, *unsure, *categories])}
    group = np.array([places[name.partition(separator)[0]] for name in names])[columns]
    # a number that may be missing: less than every value where that goes left, else more
    first = {name: place for place, name in enumerate(numbers)}
    places |= {name: first[name] for name in unsure}
    to_left = np.array([places[name.partition(separator)[0]] for name in names])[columns]
    code = np.array(codes)[columns]
    roots, offset = [], 0
    parts: list[tuple[Array, ...]] = []
    for tree in found.trees:
        _check(tree, len(columns))
        asked = _moved(tree, (to_left, group), code, absent_is_missing=absent_is_missing)
        parts.append(_placed(*asked, offset, end=found.nodes))
        roots.append(offset)
        offset += len(tree.feature)
    kinds = ("h", "d", "i", "i")
    arrays = [
        _array(kind, np.concatenate(pieces))
        for kind, pieces in zip(kinds, zip(*parts, strict=True), strict=True)
    ]
    header = Header(
        link="logistic" if found.logistic else "identity",
        single=found.single,
        base=found.base,
        scale=found.scale,
        separator=separator,
        format=2 if unsure else 1,
        numbers=[*numbers, *unsure],
        absent=[*(-_MOST if name in unsure else 0.0 for name in numbers), *[_MOST] * len(unsure)]
        if unsure
        else None,
        categories=categories,
        trees=len(roots),
        nodes=offset,
        importances=importances,
    )
    return header, Nodes(array("i", roots), *arrays)


def _check(tree: Tree, width: int) -> None:
    """Raise NotFlat for nodes that ask for no column of the `width`, or lead nowhere, in a circle,
    or by two ways to one: as every library writes them, a node stands before those that it leads
    to."""
    same = len({len(part) for part in tree}) == 1
    inner = tree.feature >= 0
    if not (same and sound(tree.feature, tree.left, tree.right, inner, width)):
        raise NotFlat(DAMAGED)


def _moved(
    tree: Tree, groups: tuple[Array, Array], code: Array, *, absent_is_missing: bool
) -> tuple[Array, Array, Array, Array]:
    """Return (group, value, left, right) of one tree, its nodes counted from zero. `groups` are
    those of columns of which a missing one goes left, and goes right."""
    inner = tree.feature >= 0
    column = np.where(inner, tree.feature, 0)
    category = inner & (code[column] >= 0)
    here = tree.value >= 1.0  # the record is of this category: its column is one
    away = tree.missing_left if absent_is_missing else tree.value >= 0.0
    same = category & (here == away)  # then the node asks nothing
    turned = category & ~away
    left = np.where(turned, tree.right, tree.left)
    right = np.where(turned, tree.left, tree.right)
    value = np.where(category, np.where(same, _NEVER, code[column]), tree.value)
    group = np.where(tree.missing_left, groups[0][column], groups[1][column])
    return np.where(inner, group, -1), value, left, right


def _placed(
    group: Array, value: Array, left: Array, right: Array, offset: int, *, end: int
) -> tuple[Array, ...]:
    """Return one tree as the file has it: its nodes counted from `offset`, below a leaf the end."""
    inner = group >= 0
    return group, value, np.where(inner, left + offset, end), np.where(inner, right + offset, end)


def _array(kind: str, values: Array) -> array[Any]:
    made: array[Any] = array(kind)
    made.frombytes(values.astype(kind).tobytes())
    return made
