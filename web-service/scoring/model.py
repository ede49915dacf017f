"""What a model is: a record, features, and how a score becomes an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Literal

from scoring.record import Record
from scoring.values.field_parts import parts_of
from scoring.values.json_values import all_as_json
from scoring.values.shares import Shares

# What a DictVectorizer takes: text is one-hot encoded as "name=value", a number is kept.
Features = Mapping[str, str | float]

# The value of a prediction as JSON: {"duration": 37.4}; of several classes it may hold numbers by
# class.
Answer = dict[str, float | bool | str | dict[str, float]]


@dataclass(frozen=True)
class Present:
    """A model's `features` without what is missing: a feature that is None is none to a
    DictVectorizer, and a member of an Enum is its text."""

    made: Callable[[Any], Mapping[str, Any]]

    def __call__(self, record: Any) -> Features:
        """Return the features of a record."""
        return {
            # not isinstance: a stand-in that is only handed on must not be looked into
            name: value.value if issubclass(type(value), Enum) else value
            for name, value in self.made(record).items()
            if value is not None
        }


@dataclass(frozen=True)
class Together:
    """A model's further features and the others."""

    further: Callable[[Any], Features]
    others: Callable[[Any], Features]

    def __call__(self, record: Any) -> Features:
        """Return the features of a record."""
        return {**self.further(record), **self.others(record)}


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything the service and the training know about one model.

    `score` is what the estimator gives for one record: the predicted value of a regression, the
    probability of the positive class of a classification; where there are `classes`, a `Shares`:
    the probability of each.
    """

    name: str  # in the URL, in MODELS and in the folder's name
    title: str  # for people
    registered_name: str  # in a model registry
    artifact_file: str  # the pickled pair's file name
    task: Literal["regression", "classification"]
    target: str  # the column that training predicts
    unit: str  # of the target
    record: type[Record]
    features: Callable[[Any], Features]  # takes a `record`
    answer: Callable[[Any, float], Answer]  # takes the score and the threshold
    # more features, for the estimators that take them: a pair is fitted with all of them or none
    further: Callable[[Any], Features] | None = None
    example: Mapping[str, Any]  # a valid record: warms up, checks, documents
    classes: tuple[str, ...] = ()  # of a classification that tells three or more apart
    threshold: float = 0.5  # of a classification, unless the manifest says otherwise
    intended_use: str = ""  # for people, on the model card
    limits: tuple[str, ...] = ()  # where not to trust it, on the model card
    rank: int = 100  # served in this order where MODELS is not set; the lowest is the default

    def __post_init__(self) -> None:
        """Have the example as JSON has it, and features as a DictVectorizer takes them."""
        object.__setattr__(self, "example", all_as_json(self.example))
        if not isinstance(self.features, Present) and self.not_as_they_are:
            object.__setattr__(self, "features", Present(self.features))

    def whole(self) -> Model:
        """Return the model with its further features among the others."""
        if self.further is None:
            return self
        return replace(self, features=Together(self.further, self.features), further=None)

    def fitted_on(self, columns: Iterable[str], separator: str) -> Model:
        """Return the model whose features are those of a pair: `columns` are its vectorizer's, or
        the names of its features. It is this one, or that with the further features."""
        if self.further is None:
            return self
        names = {column.partition(separator)[0] for column in columns}
        further = self.further(self.record.model_validate(self.example))
        return self if names.isdisjoint(further) else self.whole()

    def some_answer(self) -> Answer:
        """Return an answer for its keys and kinds of value, which are always the same."""
        return self.answer(tried(self)[1], self.threshold)

    @property
    def not_as_they_are(self) -> set[str]:
        """The fields whose values may be other features than they are: null, a member of an
        Enum."""
        return {
            name
            for name, field in self.record.model_fields.items()
            for kind, _, nullable in [parts_of(field)]
            if nullable or (isinstance(kind, type) and issubclass(kind, Enum))
        }

    @property
    def nullable(self) -> set[str]:
        """The fields that may be null."""
        return {
            name for name, field in self.record.model_fields.items() if parts_of(field).nullable
        }


_TRIED: Final = (0.25, 0.5, 0.75)  # scores whose answers must be alike, whatever the task


def tried(model: Model) -> Sequence[float]:
    """Return scores of a model; of several classes one for each of them as the most likely."""
    if not model.classes:
        return _TRIED
    many = len(model.classes)
    rest = 0.5 / (many - 1)
    places = range(many)
    return [Shares([0.5 if n == m else rest for n in places], model.classes) for m in places]
