"""A compiled scorer's scores of feature columns, equal to the service's to the bit: the same
operations on the same numbers in the same order."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.columns.features import Column
from batch.columns.fields import Array, Mask
from batch.columns.forest import Forest
from batch.columns.pieces import pieces
from scoring.scorers import Scorer
from scoring.scorers.classes import Classes
from scoring.scorers.linear import Linear
from scoring.scorers.means import Means
from scoring.scorers.trees import Trees
from scoring.values.shares import Link

_ROWS: Final = 4096  # a linear model's, whose columns then stay in the processor's cache


class Scored(NamedTuple):
    """(n,) float64 scores, of several classes (n, n_classes) probabilities, and by feature which
    rows hold a category that training never saw."""

    scores: Array
    unseen: Mapping[str, Mask]


class ColumnScorer(Protocol):
    """What scores feature columns."""

    def score(self, features: Mapping[str, Column]) -> Scored:
        """Return n scores of n rows, in order."""


def column_scorer(scorer: Scorer) -> ColumnScorer | None:
    """Return the columnar form of a compiled scorer; None where there is no such form, or a number
    that is missing is not zero to its trees."""
    parts = scorer.parts if isinstance(scorer, Classes) else (scorer,)
    if any(isinstance(part, Trees) and part.header.absent is not None for part in parts):
        return None
    if isinstance(scorer, Linear):
        return _LinearColumns(scorer)
    if isinstance(scorer, Trees):
        return _TreeColumns(scorer)
    if isinstance(scorer, Classes):
        return _ClassColumns(scorer)
    if isinstance(scorer, Means):
        return _MeansColumns(scorer)
    return None


class _Looked:
    """What a scorer has to know of each choice of each category, found once."""

    def __init__(self, unknown: float) -> None:
        self._unknown = unknown
        self._tables: dict[str, Array] = {}
        self._lock = threading.Lock()

    def of(self, name: str, column: Column, known: Mapping[Any, float]) -> Array:
        """Return the number of each of the column's choices, or of each that it goes `through`:
        NaN or what is `unknown` where there is none."""
        assert column.choices is not None  # noqa: S101  # for the type checker
        with self._lock:
            table = self._tables.get(name, np.empty(0))
            if len(table) < len(column.choices):
                new = column.choices[len(table) :]
                found = np.array([known.get(value, self._unknown) for value in new])
                table = self._tables[name] = np.concatenate([table, found])
        return table if column.through is None else table[column.through]


class _LinearColumns:
    def __init__(self, scorer: Linear) -> None:
        self._table = scorer.table
        self._weights = _Looked(np.nan)

    def score(self, features: Mapping[str, Column]) -> Scored:
        table = self._table
        texts = {name for name, column in features.items() if _is_text(column)}
        if texts != table.categories.keys() or features.keys() - texts != table.numbers.keys():
            return self._unusual(features)
        weights = {
            name: self._weights.of(name, features[name], known)
            for name, known in table.categories.items()
        }
        coded = [(weights[name], features[name].values) for name in weights]
        numbers = {name: _numbers(features[name]) for name in table.numbers}
        weighted = [(weight, numbers[name]) for name, weight in table.numbers.items()]
        rows = len(next(iter(features.values())).values)
        scores = np.full(rows, table.intercept)
        for start in range(0, rows, _ROWS):
            part = slice(start, start + _ROWS)
            into = scores[part]
            for of_choice, codes in coded:
                into += of_choice.take(codes[part])
            for weight, values in weighted:
                into += weight * values[part]
        unseen = {}
        if np.isnan(scores.sum()):
            unseen = {
                name: new
                for name, of_choice in weights.items()
                if np.isnan(of_choice).any()
                and (new := np.isnan(of_choice).take(features[name].values)).any()
            }
            self._score_unseen(scores, features, weights, numbers, unseen)
        if table.link == "logistic":
            scores = sigmoid(scores)
        return Scored(scores, unseen)

    def _score_unseen(
        self,
        scores: Array,
        features: Mapping[str, Column],
        weights: Mapping[str, Array],
        numbers: Mapping[str, Array],
        unseen: Mapping[str, Mask],
    ) -> None:
        """Score rows with a new category as `Linear` does: in the order of the features."""
        if not unseen:  # NaN among the numbers: no score either
            return
        rows: Array = np.flatnonzero(np.logical_or.reduce([*unseen.values()]))
        sums = np.full(len(rows), self._table.intercept)
        for name in features:
            if name in numbers:
                sums += self._table.numbers[name] * numbers[name][rows]
            else:
                weight = weights[name].take(features[name].values[rows])
                sums = np.where(np.isnan(weight), sums, sums + weight)
        scores[rows] = sums

    def _unusual(self, features: Mapping[str, Column]) -> Scored:
        """Score rows that lack a feature or have others, as `Linear` does."""
        table = self._table
        rows = len(next(iter(features.values())).values)
        sums = np.full(rows, table.intercept)
        unseen = {}
        for name, column in features.items():
            if not _is_text(column):
                sums += table.numbers.get(name, 0.0) * _numbers(column)
                continue
            known = table.categories.get(name, {})
            weight = self._weights.of(name, column, known).take(column.values)
            new = np.isnan(weight)
            sums = np.where(new, sums, sums + weight)
            if new.any():
                unseen[name] = new
        return Scored(sigmoid(sums) if table.link == "logistic" else sums, unseen)


class _TreeColumns:
    def __init__(self, scorer: Trees) -> None:
        self._header = scorer.header
        found = pieces(scorer.header, scorer.nodes)
        self._forest = found or Forest(scorer.header, scorer.nodes)
        self._codes = _Looked(-1.0)
        self._known = {
            name: {value: float(code) for code, value in enumerate(values)}
            for name, values in self._header.categories.items()
        }

    def score(self, features: Mapping[str, Column]) -> Scored:
        header = self._header
        rows = len(next(iter(features.values())).values)
        numbers = [
            _numbers(features[name]) if name in features else np.zeros(rows)
            for name in header.numbers
        ]
        codes = {
            name: self._coded(name, features[name], known)
            if name in features
            else np.full(rows, -1, dtype=np.int64)
            for name, known in self._known.items()
        }
        unseen = {
            name: new for name, of in codes.items() if name in features and (new := of < 0).any()
        }
        for name, column in features.items():
            if name not in codes and _is_text(column):
                unseen[name] = np.full(rows, True)
        sums = self._forest.sums(numbers, [*codes.values()])
        scores = sums if header.single else header.base + header.scale * sums
        if header.link == "logistic":
            scores = sigmoid(scores)
        return Scored(scores, unseen)

    def _coded(self, name: str, column: Column, known: Mapping[Any, float]) -> Array:
        found: Array = self._codes.of(name, column, known).take(column.values).astype(np.int64)
        return found


class _ClassColumns:
    def __init__(self, scorer: Classes) -> None:
        self._parts = [
            _LinearColumns(part) if isinstance(part, Linear) else _TreeColumns(part)
            for part in scorer.parts
        ]
        self._link = scorer.link

    def score(self, features: Mapping[str, Column]) -> Scored:
        found = [part.score(features) for part in self._parts]
        with np.errstate(all="ignore"):  # what is no finite number is told by who is given it
            shares = _linked([sums for sums, _ in found], self._link)
        return Scored(np.array(shares).T, found[0].unseen)


def _linked(sums: Sequence[Array], link: Link) -> list[Array]:
    """Return the probabilities of each class for the (n,) sums of each, NaN for what is none: the
    columns of `scoring.values.shares.linked`."""
    if link == "shares":
        parts, total = list(sums), np.ones(len(sums[0]))
    else:
        if link == "softmax":
            largest = np.maximum.reduce(sums)
            parts = [_exp(of_class - largest) for of_class in sums]
        else:
            parts = [sigmoid(of_class) for of_class in sums]
        total = _added(parts)
    total[~np.isfinite(_added(sums)) | (total == 0)] = np.nan
    return [part / total for part in parts]


def _added(columns: Sequence[Array]) -> Array:
    """Return the (n,) sums of the columns, added up in order."""
    total: Array = np.zeros(len(columns[0]))
    for column in columns:
        total += column
    return total


def _is_text(column: Column) -> bool:
    choices: Sequence[Any] = column.choices or ()
    return bool(choices) and isinstance(choices[0], str)


class _MeansColumns:
    def __init__(self, scorer: Means) -> None:
        self._categories = scorer.header.categories
        self._trees = _TreeColumns(scorer.trees)
        self._places = _Looked(-1.0)
        # of each category, the place of each value, and the numbers by place; last, of a new value
        self._known = {
            name: {value: float(place) for place, value in enumerate(found.values)}
            for name, found in self._categories.items()
        }
        self._numbers = {
            name: np.array([*found.values.values(), found.unseen]).T
            for name, found in self._categories.items()
        }

    def score(self, features: Mapping[str, Column]) -> Scored:
        rows = len(next(iter(features.values())).values)
        numbers: dict[str, Column] = {}
        unseen: dict[str, Mask] = {}
        for name, column in features.items():
            if name in self._categories:
                continue
            if _is_text(column):
                unseen[name] = np.full(rows, True)
            else:
                numbers[name] = column
        for name, known in self._known.items():
            places: Array = np.full(rows, -1.0)
            if name in features:
                column = features[name]
                places = self._places.of(name, column, known).take(column.values)
                if (new := places < 0).any():
                    unseen[name] = new
            of_each = self._numbers[name].take(places.astype(np.int64), axis=1)
            each = zip(self._categories[name].numbers, of_each, strict=True)
            numbers |= {number: Column(values) for number, values in each}
        return Scored(self._trees.score(numbers).scores, unseen)


def _numbers(column: Column) -> Array:
    if column.choices is None:
        return column.values
    return np.array([float(value) for value in column.choices])[column.codes()]


def sigmoid(log_odds: Array) -> Array:
    """Return the probabilities of (n,) log-odds, as `scoring.scorers.linear.sigmoid` has them."""
    odds = _exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1.0, odds) / (1.0 + odds)


def _exp(values: Array) -> Array:
    """Return e to the power of (n,) numbers. Arrow's `exp` is the C library's, as Python's is;
    numpy has one of its own on some machines."""
    found: Array = pc.exp(pa.array(values)).to_numpy()
    return found
