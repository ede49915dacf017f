"""Trees, forests and boosting as arrays of nodes: data, evaluated by the standard library alone.

`scorer.trees` is one line of JSON, then the arrays, little-endian and one after the other:

    {"format": 1, "kind": "trees", "link": "identity", "single": false, "base": 0.0,
     "scale": 0.01, "separator": "=", "numbers": ["trip_distance"],
     "categories": {"PU_DO": ["10_50", ...]}, "trees": 100, "nodes": 20412, "importances": [...]}
    roots  int32[trees]  the first node of each tree
    group  int16[nodes]  which feature is asked: a number, then (counted on) a category; -1: a leaf
    value  float64[nodes]  what it is compared with; of a leaf, what it gives
    left, right  int32[nodes]  the next node: right where a number is above the value, or where a
                 category is the value-th of its list. It lies behind the node itself; of a leaf,
                 behind them all

A score is base + scale * (sum of one leaf a tree), through the link; where `single`, the leaves are
added to the base one after the other, each sum rounded to 32 bits. A number that a record lacks
is zero. To change the format, raise FORMAT and keep reading the old number here.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from math import isfinite
from operator import eq, lt
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scoring.errors import ArtifactError
from scoring.models import Features
from scoring.scorers import Score, Scores
from scoring.scorers.leafsets import leaf_sets
from scoring.scorers.linear import sigmoid

FORMAT: Final = 1
FILE: Final = "scorer.trees"
MAX_NODES: Final = 4_000_000  # 72 MB

# Rows from which on numpy, which takes a tenth of a second to import once, is the faster way.
_VECTORISED: Final = 32
_VECTORISED_SETS: Final = 256  # where leaf sets take the place of walking


class Header(BaseModel):
    """The file's first line."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = FORMAT
    kind: Literal["trees"] = "trees"
    link: Literal["identity", "logistic"]
    single: bool  # leaves are added up in 32 bits, in order, as XGBoost does
    base: float
    scale: float
    separator: str
    numbers: list[str]
    categories: dict[str, list[str]]
    trees: int = Field(ge=1)
    nodes: int = Field(ge=1, le=MAX_NODES)
    importances: list[float] | None  # by the vectorizer's columns


class Nodes(NamedTuple):
    """The arrays, as the file has them."""

    roots: array[int]
    group: array[int]
    value: array[float]
    left: array[int]
    right: array[int]


class Trees:
    """An ensemble. Where its trees are small, sets of leaves give the score; else its nodes are
    walked, or with many records at once looked up by numpy."""

    kind = "trees"

    def __init__(self, header: Header, nodes: Nodes) -> None:
        self.header, self.nodes = header, nodes
        self.separator = header.separator
        self._places = {name: place for place, name in enumerate(header.numbers)}
        first = len(header.numbers)
        self._codes = {
            name: (first + place, {value: float(code) for code, value in enumerate(values)})
            for place, (name, values) in enumerate(header.categories.items())
        }
        self._empty = [0.0] * first + [-1.0] * len(header.categories)
        self._leaf_sets = leaf_sets(nodes, first)

    @property
    def fitted(self) -> set[str]:
        """The features that it takes, as `check_features` wants them."""
        return {*self._places, *(name + self.separator for name in self._codes)}

    def one(self, features: Features) -> Score:
        """Gives one record's score."""
        x, unseen = self._encoded(features)
        return self._score(x), unseen

    def many(self, features: Sequence[Features]) -> Scores:
        """Gives the scores of several records."""
        rows = []
        new: dict[int, Sequence[str]] = {}
        for place, record in enumerate(features):
            x, unseen = self._encoded(record)
            rows.append(x)
            if unseen:
                new[place] = unseen
        if len(rows) < (_VECTORISED_SETS if self._leaf_sets else _VECTORISED):
            return list(map(self._score, rows)), new
        from scoring.scorers.vectorised import totals  # imports numpy

        return list(map(self._linked, totals(self.header, self.nodes, rows))), new

    def linear(self) -> None:
        """Gives nothing: it is not linear."""

    def importances(self) -> list[float] | None:
        """Gives the estimator's importances (n_features,), where it has them."""
        return self.header.importances

    def _encoded(self, features: Features) -> tuple[list[float], Sequence[str]]:
        """Gives the record as (n_numbers + n_categories,) numbers; a category as its place in its
        list, -1 where training never saw it."""
        x = self._empty.copy()
        unseen: tuple[str, ...] = ()
        for name, value in features.items():
            if not isinstance(value, str):
                if name in self._places:
                    x[self._places[name]] = value
                continue
            place, codes = self._codes.get(name, (-1, {}))
            if value in codes:
                x[place] = codes[value]
            else:
                unseen = (*unseen, f"{name}{self.separator}{value}")
        return x, unseen

    def _score(self, x: list[float]) -> float:
        leaves = self._leaf_sets.leaves(x) if self._leaf_sets else self._walk(x)
        if not self.header.single:
            return self._linked(sum(leaves))
        total = array("f", (self.header.base,))
        for leaf in leaves:
            total[0] += leaf  # rounds to 32 bits
        return self._linked(total[0])

    def _walk(self, x: list[float]) -> Iterator[float]:
        roots, group, value, left, right = self.nodes
        numbers = len(self.header.numbers)
        for node in roots:
            while (asked := group[node]) >= 0:
                if asked < numbers:
                    node = left[node] if x[asked] <= value[node] else right[node]
                else:
                    node = right[node] if x[asked] == value[node] else left[node]
            yield value[node]

    def _linked(self, total: float) -> float:
        header = self.header
        score = total if header.single else header.base + header.scale * total
        return sigmoid(score) if header.link == "logistic" else score


def read(data: bytes) -> Trees:
    """Gives the scorer that a `scorer.trees` holds, or raises ArtifactError."""
    line, _, rest = data.partition(b"\n")
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "its first line"
        raise ArtifactError(f"{FILE} cannot be used: {place}: {first['msg']}") from error
    kinds = zip("ihdii", (header.trees, *[header.nodes] * 4), strict=True)
    arrays: list[Any] = []
    for kind, count in kinds:
        made: array[Any] = array(kind)
        size = count * made.itemsize
        if len(rest) < size:
            raise ArtifactError(f"{FILE} cannot be used: it ends too soon")
        made.frombytes(rest[:size])
        rest = rest[size:]
        if sys.byteorder == "big":
            made.byteswap()
        arrays.append(made)
    if rest:
        raise ArtifactError(f"{FILE} cannot be used: it goes on after its end")
    nodes = Nodes(*arrays)
    _check(header, nodes)
    return Trees(header, nodes)


def write(header: Header, nodes: Nodes) -> bytes:
    """Gives the file."""
    pieces = [header.model_dump_json().encode(), b"\n"]
    for made in nodes:
        if sys.byteorder == "big":
            made = array(made.typecode, made)
            made.byteswap()
        pieces.append(made.tobytes())
    return b"".join(pieces)


def _check(header: Header, nodes: Nodes) -> None:
    """Raises ArtifactError for nodes that lead nowhere or round in a circle: scoring looks at none
    of this."""
    groups = len(header.numbers) + len(header.categories)
    end = header.nodes
    leaves = bytes(map(lt, nodes.group, repeat(0)))
    whole = (
        0 <= min(nodes.roots) <= max(nodes.roots) < end
        and max(nodes.group) < groups
        and isfinite(sum(nodes.value))
        and all(
            max(side) <= end
            and all(map(lt, range(end), side))
            and bytes(map(eq, side, repeat(end))) == leaves
            for side in (nodes.left, nodes.right)
        )
    )
    if not whole:
        raise ArtifactError(f"{FILE} cannot be used: its nodes are damaged")
