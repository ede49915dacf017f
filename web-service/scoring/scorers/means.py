"""Trees over numbers that stand for categories: the target's mean among the rows of each, and more.

`scorer.means` is one line of JSON, then a `scorer.trees` (tree_file.py), whose features are numbers
alone. Of each category of the record, the line has the names of the numbers that stand for it, what
they are for each value, and what they are for one that training never saw:

    {"format": 1, "kind": "means", "separator": "=", "categories": {"PU_DO":
     {"numbers": ["PU_DO 0", "PU_DO 1"], "values": {"10_50": [31.2, 2.1]}, "unseen": [14.6, 0]}}}

Format 2 is for records with one number beside their categories: between the line and the trees lie
the scores of those values that training had most often, for every number (steps.py), and the line
says of which number, of which values, one for each category in turn, and of how many steps each:

    "often": {"number": "trip_distance", "values": [["10_50"]], "counts": [2]}
    begin  uint16[steps]  the first interval between two of the number's thresholds
    score  float64[steps]

To change the format, raise FORMAT and keep reading the old numbers here.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from scoring.errors import ArtifactError
from scoring.models import Features
from scoring.scorers import trees
from scoring.scorers.base import Score, Scores
from scoring.scorers.leafsets import LeafSets
from scoring.scorers.steps import Steps
from scoring.scorers.trees import Trees
from scoring.values.pydantic_errors import first_error

FORMAT: Final = 2
FILE: Final = "scorer.means"

_SIZE: Final = 10  # bytes of a step
_REMEMBERED: Final = 4 * 1024 * 1024  # bytes of sets of leaves, of the values asked for last


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Category(_Part):
    """The numbers of a category's values, each as long as their names."""

    numbers: list[str]
    values: dict[str, list[float]]
    unseen: list[float]


class Often(_Part):
    """Of which values of the categories all scores are known, and how many steps each takes."""

    number: str
    values: list[list[str]]
    counts: list[int]


class Header(_Part):
    """The file's first line."""

    format: Literal[1, 2] = 1
    kind: Literal["means"] = "means"
    separator: str
    categories: dict[str, Category]
    often: Often | None = None  # of format 2


class Means:
    """Looks the numbers up and asks the trees."""

    def __init__(self, header: Header, grown: Trees, steps: Steps | None = None) -> None:
        """The trees have the categories' numbers among theirs, and no categories of their own;
        `steps` are of the values in the header's `often`."""
        self.header, self.trees, self._steps = header, grown, steps
        self.separator = header.separator
        places = {name: place for place, name in enumerate(grown.header.numbers)}
        self._values = {
            name: ([places[number] for number in found.numbers], found.values)
            for name, found in header.categories.items()
        }
        self._usual = [0.0] * len(places)
        for found in header.categories.values():
            for number, value in zip(found.numbers, found.unseen, strict=True):
                self._usual[places.pop(number)] = value
        self._places = places  # of the record's own numbers
        self._asked = len(self._places) + len(self._values)
        self._of_values = _remembered(grown.leaf_sets, self._values) if grown.leaf_sets else None

    @property
    def fitted(self) -> set[str]:
        """The features that it takes, as `check_features` wants them."""
        return {*self._places, *(name + self.separator for name in self._values)}

    @property
    def numbers(self) -> Mapping[str, int]:
        """The record's own numbers, each with its place among those of the trees."""
        return self._places

    def one(self, features: Features) -> Score:
        """Return one record's score and its unseen categories."""
        if self._steps is not None:
            score = self._steps.score(features)
            if score is not None:
                return score, ()
        leaves = self._leaves(features)
        if leaves is not None:
            return self.trees.score_at(leaves), ()
        x, unseen = self.encoded(features)
        return self.trees.score_of(x), unseen

    def many(self, features: Sequence[Features]) -> Scores:
        """Return the scores of several records, in order, and their unseen categories."""
        score = self._steps.score if self._steps else _unknown
        scores = [score(record) for record in features]
        rows: list[list[float]] = []
        places = [place for place, found in enumerate(scores) if found is None]
        new: dict[int, Sequence[str]] = {}
        for place in places:
            x, unseen = self.encoded(features[place])
            rows.append(x)
            if unseen:
                new[place] = unseen
        for place, found in zip(places, self.trees.scores_of(rows), strict=True):
            scores[place] = found
        return cast("list[float]", scores), new

    def encoded(self, features: Features) -> tuple[list[float], Sequence[str]]:
        """Return the record as the trees' (n_numbers,) numbers."""
        x = self._usual.copy()
        unseen: tuple[str, ...] = ()
        for name, value in features.items():
            if not isinstance(value, str):
                if name in self._places:
                    x[self._places[name]] = value
                continue
            places, known = self._values.get(name, ((), {}))
            if value in known:
                for place, number in zip(places, known[value], strict=True):
                    x[place] = number
            else:
                unseen = (*unseen, f"{name}{self.separator}{value}")
        return x, unseen

    def linear(self) -> None:
        """Return None: trees have no weights."""

    def importances(self) -> None:
        """Return None: histogram boosting has none."""

    def _leaves(self, features: Features) -> Iterator[float] | None:
        """Return what the leaves hold in which a record ends that has every feature, no other and
        no new category; None for any other record, and where the trees are walked."""
        leaf_sets = self.trees.leaf_sets
        if leaf_sets is None or self._of_values is None or len(features) != self._asked:
            return None
        numbers, values = [], []
        for name, value in features.items():
            if isinstance(value, str):
                values.append((name, value))
            elif name in self._places:
                numbers.append((self._places[name], value))
            else:
                return None
        reached = self._of_values(*values)
        return None if reached is None else leaf_sets.leaves_in(reached, numbers)


def _unknown(_: Features) -> float | None:
    """Return None: where no steps are known, no score is."""
    return None


def _remembered(
    leaf_sets: LeafSets, values: Mapping[str, tuple[list[int], Mapping[str, list[float]]]]
) -> Callable[..., tuple[int, ...] | None]:
    """Return what gives the leaves that the numbers of some categories' values leave over together,
    None where training never saw one; it remembers those that were asked for last."""

    @lru_cache(max(1, _REMEMBERED // leaf_sets.size))
    def left_over(*given: tuple[str, str]) -> tuple[int, ...] | None:
        numbers: list[tuple[int, float]] = []
        for name, value in given:
            places, known = values.get(name, ((), {}))
            if value not in known:
                return None
            numbers += zip(places, known[value], strict=True)
        return leaf_sets.left_over(numbers)

    return left_over


def read(data: bytes) -> Means:
    """Return the scorer that a `scorer.means` holds, or raise ArtifactError."""
    line, _, rest = data.partition(b"\n")
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        what = first_error(error, "its first line")
        raise ArtifactError(f"{FILE} cannot be used: {what}") from error
    cut = _SIZE * sum(header.often.counts) if header.often else 0
    grown = trees.read(rest[cut:])
    asked = Counter(grown.header.numbers)
    told = Counter(number for found in header.categories.values() for number in found.numbers)
    if grown.header.categories or not told <= asked or max(asked.values(), default=0) > 1:
        raise ArtifactError(f"{FILE} cannot be used: its trees ask for other features")
    for name, found in header.categories.items():
        lengths = {len(found.numbers), len(found.unseen), *map(len, found.values.values())}
        if len(lengths) > 1:
            raise ArtifactError(f"{FILE} cannot be used: a value of {name} has too few numbers")
    if (header.often is None) != (header.format == 1):
        raise ArtifactError(f"{FILE} cannot be used: its format has other fields")
    if header.often is None:
        return Means(header, grown)
    if asked.keys() - told.keys() != {header.often.number}:
        raise ArtifactError(f"{FILE} cannot be used: its steps are of another number")
    return Means(header, grown, _steps(header.often, [*header.categories], grown, rest[:cut]))


def _steps(often: Often, names: Sequence[str], grown: Trees, data: bytes) -> Steps:
    """Return what is known of common values, or raise ArtifactError."""
    begin, scores = array("H"), array("d")
    cut = begin.itemsize * (len(data) // _SIZE)
    begin.frombytes(data[:cut])
    scores.frombytes(data[cut:])
    if sys.byteorder == "big":
        begin.byteswap()
        scores.byteswap()
    thresholds = grown.thresholds(often.number)
    try:
        return Steps(often.number, names, thresholds, often.values, often.counts, begin, scores)
    except ValueError as error:
        raise ArtifactError(f"{FILE} cannot be used: {error}") from error


def write(header: Header, data: bytes) -> bytes:
    """Return the bytes of the `scorer.means` file of a header without steps and a
    `scorer.trees`."""
    return header.model_dump_json(exclude={"often"}).encode() + b"\n" + data


def with_steps(data: bytes, often: Often, begin: array[int], scores: array[float]) -> bytes:
    """Return the bytes of a `scorer.means` file, which has none, with the steps of common values;
    `begin` is of 16 bits."""
    line, _, rest = data.partition(b"\n")
    header = Header.model_validate_json(line).model_copy(update={"format": FORMAT, "often": often})
    pieces = [header.model_dump_json().encode(), b"\n"]
    for made in (begin, scores):
        if sys.byteorder == "big":
            made = array(made.typecode, made)
            made.byteswap()
        pieces.append(made.tobytes())
    return b"".join([*pieces, rest])
