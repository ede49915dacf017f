"""The arrays of nodes that an ensemble of trees is, and the file that holds them.

`scorer.trees` is one line of JSON, then the arrays, little-endian and one after the other:

    {"format": 1, "kind": "trees", "link": "identity", "single": false, "base": 0.0,
     "scale": 0.01, "separator": "=", "numbers": ["trip_distance"],
     "categories": {"PU_DO": ["10_50", ...]}, "trees": 100, "nodes": 20412, "importances": [...]}
    roots  int32[trees]  the first node of each tree
    group  int16[nodes]  which feature is asked: a number, then (counted on) a category; -1: a leaf
    value  float64[nodes]  what it is compared with; of a leaf, what it gives
    left, right  int32[nodes]  the next node: right where a number is above the value, or where a
                 category is the value-th of its list. It lies behind the node itself, and no other
                 node leads there; of a leaf, behind them all

A score is base + scale * (sum of one leaf a tree), through the link; where `single`, the leaves are
added to the base one after the other, each sum rounded to 32 bits. A number that a record lacks
is zero, and NaN is above no value.

Format 2 is for numbers whose lack is none of their values: `absent` says what stands for each of
`numbers` where the record lacks it, and a number may be there twice, once as less than every value
and once as more, for nodes that send a missing one to the left or to the right. To change the
format, raise FORMAT and keep reading the old numbers here.
"""

from __future__ import annotations

import sys
from array import array
from collections import deque
from itertools import chain, repeat
from math import isfinite
from operator import eq, lt
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scoring.errors import ArtifactError
from scoring.values.pydantic_errors import first_error

FORMAT: Final = 2
FILE: Final = "scorer.trees"
MAX_NODES: Final = 4_000_000  # 72 MB


class Header(BaseModel):
    """The file's first line."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1, 2] = 1
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
    absent: list[float] | None = None  # of format 2, one for each of `numbers`


class Nodes(NamedTuple):
    """The arrays, as the file has them."""

    roots: array[int]
    group: array[int]
    value: array[float]
    left: array[int]
    right: array[int]


def read(data: bytes) -> tuple[Header, Nodes]:
    """Return what a `scorer.trees` holds, or raise ArtifactError."""
    line = data[: data.find(b"\n") + 1]
    rest = memoryview(data)[len(line) :]  # which copies nothing
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        what = first_error(error, "its first line")
        raise ArtifactError(f"{FILE} cannot be used: {what}") from error
    told = len(header.numbers) if header.format == FORMAT else None
    if told != (None if header.absent is None else len(header.absent)):
        raise ArtifactError(f"{FILE} cannot be used: absent: not one for each of its numbers")
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
    return header, nodes


def write(header: Header, nodes: Nodes) -> bytes:
    """Return the bytes of the `scorer.trees` file."""
    left_out = {"absent"} if header.format == 1 else None
    pieces = [header.model_dump_json(exclude=left_out).encode(), b"\n"]
    for made in nodes:
        if sys.byteorder == "big":
            made = array(made.typecode, made)
            made.byteswap()
        pieces.append(made.tobytes())
    return b"".join(pieces)


def _check(header: Header, nodes: Nodes) -> None:
    """Raise ArtifactError for nodes that lead nowhere, round in a circle, or by two ways to one:
    scoring looks at none of this."""
    groups = len(header.numbers) + len(header.categories)
    if "numpy" in sys.modules:  # which takes as long to import as 200,000 nodes to look at
        from scoring.scorers.tree_nodes import lead_down

        leads = lead_down(nodes.roots, nodes.group, nodes.left, nodes.right)
    else:
        leads = _lead_down(nodes)
    if not (leads and max(nodes.group) < groups and isfinite(sum(nodes.value))):
        raise ArtifactError(f"{FILE} cannot be used: its nodes are damaged")


def _lead_down(nodes: Nodes) -> bool:
    """Say whether each node but a leaf leads to two behind it, and to no node another one does."""
    end = len(nodes.group)
    leaves = bytes(map(lt, nodes.group, repeat(0)))
    return (
        0 <= min(nodes.roots) <= max(nodes.roots) < end
        and all(
            max(side) <= end
            and all(map(lt, range(end), side))
            and bytes(map(eq, side, repeat(end))) == leaves
            for side in (nodes.left, nodes.right)
        )
        and _each_once(nodes, end)
    )


def _each_once(nodes: Nodes, end: int) -> bool:
    """Say whether no node is led to twice: a set of leaves (leafsets.py) adds such a one twice."""
    reached = bytearray(end + 1)  # the last stands for what a leaf has below it
    led_to = chain(nodes.roots, nodes.left, nodes.right)
    deque(map(reached.__setitem__, led_to, repeat(1)), maxlen=0)
    leaves = nodes.left.count(end)
    return reached.count(1, 0, end) == len(nodes.roots) + 2 * (end - leaves)
