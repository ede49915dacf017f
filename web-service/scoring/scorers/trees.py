"""Trees, forests and boosting: arrays of nodes, evaluated by the standard library alone."""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from scoring.models import Features
from scoring.scorers import tree_file
from scoring.scorers.base import Score, Scores
from scoring.scorers.leafsets import leaf_sets
from scoring.scorers.linear import sigmoid
from scoring.scorers.tree_file import Header, Nodes
from scoring.values.sums import in_order

# Rows from which on numpy, which takes a tenth of a second to import once, is the faster way.
_VECTORISED: Final = 32
_VECTORISED_SETS: Final = 256  # where leaf sets take the place of walking
_HAS_NUMPY: Final = importlib.util.find_spec("numpy") is not None  # not with SKLEARN=0


class Trees:
    """An ensemble. Where its trees are small, sets of leaves give the score; else its nodes are
    walked, or, with many records in one call, looked up by numpy."""

    def __init__(self, header: Header, nodes: Nodes) -> None:
        self.header, self.nodes = header, nodes
        self.separator = header.separator
        self._places = {name: place for place, name in enumerate(header.numbers)}
        # of a number that is there twice, its first place
        self._twice = {
            name: place for place, name in enumerate(header.numbers) if place != self._places[name]
        }
        first = len(header.numbers)
        self._codes = {
            name: (first + place, {value: float(code) for code, value in enumerate(values)})
            for place, (name, values) in enumerate(header.categories.items())
        }
        self._empty = [*(header.absent or [0.0] * first), *([-1.0] * len(header.categories))]
        self.leaf_sets = leaf_sets(nodes, first)

    @property
    def fitted(self) -> set[str]:
        """The features that it takes, as `check_features` wants them."""
        return {*self._places, *(name + self.separator for name in self._codes)}

    def one(self, features: Features) -> Score:
        """Return one record's score and its unseen categories."""
        x, unseen = self._encoded(features)
        return self.score_of(x), unseen

    def many(self, features: Sequence[Features]) -> Scores:
        """Return the scores of several records, in order, and their unseen categories."""
        rows = []
        new: dict[int, Sequence[str]] = {}
        for place, record in enumerate(features):
            x, unseen = self._encoded(record)
            rows.append(x)
            if unseen:
                new[place] = unseen
        return self.scores_of(rows), new

    def scores_of(self, rows: Sequence[list[float]]) -> list[float]:
        """Return the scores of n_records rows of (n_numbers + n_categories,) numbers each; a
        category is its place in its list, -1 where training never saw it."""
        few = len(rows) < (_VECTORISED_SETS if self.leaf_sets else _VECTORISED)
        if few or not _HAS_NUMPY:
            return list(map(self.score_of, rows))
        from scoring.scorers.vectorised import totals  # imports numpy

        return list(map(self.linked, totals(self.header, self.nodes, rows)))

    def linear(self) -> None:
        """Return None: trees have no weights."""

    def thresholds(self, number: str) -> list[float]:
        """Return what a number is compared with, in order, each once."""
        asked = zip(self.nodes.group, self.nodes.value, strict=True)
        return sorted({value for group, value in asked if group == self._places[number]})

    def importances(self) -> list[float] | None:
        """Return the estimator's importances (n_features,), where it has them."""
        return self.header.importances

    def _encoded(self, features: Features) -> tuple[list[float], Sequence[str]]:
        """Return the record as (n_numbers + n_categories,) numbers; a category as its place in its
        list, -1 where training never saw it."""
        x = self._empty.copy()
        unseen: tuple[str, ...] = ()
        for name, value in features.items():
            if not isinstance(value, str):
                if name in self._places:
                    x[self._places[name]] = value
                    if name in self._twice:
                        x[self._twice[name]] = value
                continue
            place, codes = self._codes.get(name, (-1, {}))
            if value in codes:
                x[place] = codes[value]
            else:
                unseen = (*unseen, f"{name}{self.separator}{value}")
        return x, unseen

    def score_of(self, x: list[float]) -> float:
        """Return the score of one such row."""
        return self.score_at(self.leaf_sets.leaves(x) if self.leaf_sets else self._walk(x))

    def score_at(self, leaves: Iterable[float]) -> float:
        """Return the score of what the leaves hold in which a record ends, in the trees' order."""
        if not self.header.single:
            return self.linked(in_order(leaves))
        total = array("f", (self.header.base,))
        for leaf in leaves:
            total[0] += leaf  # rounds to 32 bits
        return self.linked(total[0])

    def _walk(self, x: list[float]) -> Iterator[float]:
        roots, group, value, left, right = self.nodes
        numbers = len(self.header.numbers)
        for node in roots:
            while (feature := group[node]) >= 0:
                if feature < numbers:
                    node = right[node] if x[feature] > value[node] else left[node]
                else:
                    node = right[node] if x[feature] == value[node] else left[node]
            yield value[node]

    def linked(self, total: float) -> float:
        """Return the score that a sum of leaves, one a tree in order, stands for."""
        header = self.header
        score = total if header.single else header.base + header.scale * total
        return sigmoid(score) if header.link == "logistic" else score


def read(data: bytes) -> Trees:
    """Return the scorer that a `scorer.trees` holds, or raise ArtifactError."""
    return Trees(*tree_file.read(data))
