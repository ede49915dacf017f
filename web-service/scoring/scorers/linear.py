"""A linear model as a table of weights: what `DictVectorizer` and `coef_` come to for one record.

`scorer.json` holds the table:

    {"format": 1, "kind": "linear", "link": "identity", "intercept": 9.1, "separator": "=",
     "numbers": {"trip_distance": 1.98}, "categories": {"PU_DO": {"10_50": 12.3, ...}}}

A weight is written with as many digits as it takes to read the same number back. To change the
format, raise FORMAT and keep reading the old number here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import exp, nan
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from scoring.errors import ArtifactError
from scoring.models import Features
from scoring.scorers.base import Score, Scores
from scoring.values.pydantic_errors import first_error

FORMAT: Final = 1
FILE: Final = "scorer.json"


class Table(BaseModel):
    """What the file holds; nothing in it may be NaN or infinite."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = FORMAT
    kind: Literal["linear"] = "linear"
    link: Literal["identity", "logistic"]
    intercept: float
    separator: str
    numbers: dict[str, float]
    categories: dict[str, dict[str, float]]


class Linear:
    """Intercept and weights; a score is their sum over a record's features, through the link."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.intercept = table.intercept
        self.separator = table.separator
        self._numbers = table.numbers
        self._categories = table.categories
        self._each_category = list(table.categories.items())
        self._each_number = list(table.numbers.items())
        self._width = len(table.categories) + len(table.numbers)
        self._logistic = table.link == "logistic"

    @property
    def fitted(self) -> set[str]:
        """The features that it takes, as `check_features` wants them."""
        return {*self._numbers, *(name + self.separator for name in self._categories)}

    def one(self, features: Features) -> Score:
        """Return one record's score. What DictVectorizer ignores, adds nothing here either."""
        score = self.intercept
        try:
            if len(features) != self._width:
                raise KeyError
            for name, weights in self._each_category:
                score += weights[features[name]]  # type: ignore[index]  # else it is not a key
            for name, weight in self._each_number:
                score += weight * features[name]  # type: ignore[operator]  # else a TypeError
        except (KeyError, TypeError):
            return self._unusual(features)
        return (sigmoid(score) if self._logistic else score), ()

    def many(self, features: Sequence[Features]) -> Scores:
        """Return the scores of several records: column by column, in a third of the time. Each is
        what `one` returns, whatever the others are."""
        try:
            scores = self._by_column(features)
        except (KeyError, TypeError):
            scores = [nan] * len(features)
        new: dict[int, Sequence[str]] = {}
        for place, score in enumerate(scores):
            if score != score:  # it is NaN
                scores[place], unseen = self.one(features[place])
                if unseen:
                    new[place] = unseen
        return scores, new

    def _by_column(self, features: Sequence[Features]) -> list[float]:
        """Return the scores of several records, NaN for those that are unusual. Raises KeyError or
        TypeError where some have other features."""
        if any(map(self._width.__ne__, map(len, features))):
            usual = [record for record in features if len(record) == self._width]
            found = iter(self._by_column(usual))
            return [next(found) if len(record) == self._width else nan for record in features]
        scores = [self.intercept] * len(features)
        for name, weights in self._each_category:
            of: Callable[[Any, float], float] = weights.get  # NaN for what is new
            scores = [s + of(f[name], nan) for s, f in zip(scores, features, strict=True)]
        for name, weight in self._each_number:
            column: list[Any] = [record[name] for record in features]
            scores = [s + weight * x for s, x in zip(scores, column, strict=True)]
        return list(map(sigmoid, scores)) if self._logistic else scores

    def _unusual(self, features: Features) -> Score:
        """The score of a record with a category that is new, or without some feature, or with more
        of them."""
        score = self.intercept
        unseen = []
        for name, value in features.items():
            if not isinstance(value, str):
                score += self._numbers.get(name, 0.0) * value
            elif value in (weights := self._categories.get(name, {})):
                score += weights[value]
            else:
                unseen.append(f"{name}{self.separator}{value}")
        return (sigmoid(score) if self._logistic else score), unseen

    def linear(self) -> Linear:
        """Return this scorer: it holds the weights."""
        return self

    def importances(self) -> None:
        """Return None: a linear model has weights in the place of importances."""

    def weight(self, name: str, value: str | float) -> float:
        """Return what a feature is multiplied with; zero where training never saw it."""
        if isinstance(value, str):
            return self._categories.get(name, {}).get(value, 0.0)
        return self._numbers.get(name, 0.0)

    def columns(self) -> Iterator[tuple[str, float]]:
        """Return every weight under the vectorizer's name for it."""
        yield from self._numbers.items()
        for name, weights in self._categories.items():
            for value, weight in weights.items():
                yield f"{name}{self.separator}{value}", weight


def of_columns(
    columns: Iterable[tuple[str, float]], *, intercept: float, separator: str, logistic: bool
) -> Linear:
    """Return the scorer of weights by the vectorizer's names (`PU_DO=10_50`, `trip_distance`).
    Raises ArtifactError where one of them is not finite."""
    numbers: dict[str, float] = {}
    categories: dict[str, dict[str, float]] = {}
    for column, weight in columns:
        name, found, value = column.partition(separator)
        if found:
            categories.setdefault(name, {})[value] = weight
        else:
            numbers[name] = weight
    try:
        table = Table(
            link="logistic" if logistic else "identity",
            intercept=intercept,
            separator=separator,
            numbers=numbers,
            categories=categories,
        )
    except ValidationError as error:
        raise ArtifactError(f"its weights cannot be used: {first_error(error)}") from error
    return Linear(table)


def read(data: bytes) -> Linear:
    """Return the scorer that a `scorer.json` holds, or raise ArtifactError."""
    try:
        return Linear(Table.model_validate_json(data))
    except ValidationError as error:
        raise ArtifactError(f"{FILE} cannot be used: {first_error(error)}") from error


def write(scorer: Linear) -> bytes:
    """Return the bytes of the `scorer.json` file of a scorer."""
    return scorer.table.model_dump_json().encode() + b"\n"


def sigmoid(log_odds: float) -> float:
    """Return the probability of some log-odds, without overflow on either side."""
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1 + odds)
