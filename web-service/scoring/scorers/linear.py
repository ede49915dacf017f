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
from scoring.scorers import Score, Scores

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

    kind = "linear"

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
        """Gives one record's score. What DictVectorizer ignores, adds nothing here either."""
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
        """Gives the scores of several records: column by column, as that is a third of the time."""
        scores = [self.intercept] * len(features)
        try:
            if any(map(self._width.__ne__, map(len, features))):
                raise KeyError
            for name, weights in self._each_category:
                of: Callable[[Any, float], float] = weights.get  # NaN for what is new
                scores = [s + of(f[name], nan) for s, f in zip(scores, features, strict=True)]
            for name, weight in self._each_number:
                column: list[Any] = [record[name] for record in features]
                scores = [s + weight * x for s, x in zip(scores, column, strict=True)]
        except (KeyError, TypeError):
            scores = [nan] * len(features)
        if self._logistic:
            scores = list(map(sigmoid, scores))
        new: dict[int, Sequence[str]] = {}
        for place, score in enumerate(scores):
            if score != score:  # it is NaN
                scores[place], unseen = self._unusual(features[place])
                if unseen:
                    new[place] = unseen
        return scores, new

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
        """Gives itself."""
        return self

    def importances(self) -> None:
        """Gives nothing: it has weights."""

    def weight(self, name: str, value: str | float) -> float:
        """Gives what a feature is multiplied with; zero where training never saw it."""
        if isinstance(value, str):
            return self._categories.get(name, {}).get(value, 0.0)
        return self._numbers.get(name, 0.0)

    def columns(self) -> Iterator[tuple[str, float]]:
        """Gives every weight under the vectorizer's name for it."""
        yield from self._numbers.items()
        for name, weights in self._categories.items():
            for value, weight in weights.items():
                yield f"{name}{self.separator}{value}", weight


def of_columns(
    columns: Iterable[tuple[str, float]], *, intercept: float, separator: str, logistic: bool
) -> Linear:
    """Gives the scorer of weights by the vectorizer's names (`PU_DO=10_50`, `trip_distance`).
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
        raise ArtifactError(f"its weights cannot be used: {_first(error)}") from error
    return Linear(table)


def read(data: bytes) -> Linear:
    """Gives the scorer that a `scorer.json` holds, or raises ArtifactError."""
    try:
        return Linear(Table.model_validate_json(data))
    except ValidationError as error:
        raise ArtifactError(f"{FILE} cannot be used: {_first(error)}") from error


def write(scorer: Linear) -> bytes:
    """Gives the file of a scorer."""
    return scorer.table.model_dump_json().encode() + b"\n"


def sigmoid(log_odds: float) -> float:
    """Gives the probability of some log-odds, without an overflow on either side."""
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1 + odds)


def _first(error: ValidationError) -> str:
    line = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in line["loc"]) or "the file"
    return f"{place}: {line['msg']}"
