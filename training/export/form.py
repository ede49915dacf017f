"""The small form of a model that every format is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scoring.artifact.manifest import Manifest
from scoring.models import Model
from scoring.scorers.linear import Linear
from scoring.scorers.tree_file import Header
from scoring.scorers.trees import Trees
from training.errors import TrainingError

InputKind = Literal["integer", "number", "flag", "text"]
AnswerKind = Literal["score", "not_negative", "at_least", "most_likely", "probabilities"]

# A value of a field as JSON has it.
Value = str | float | bool | None


class ExportError(TrainingError):
    """The model cannot be written in a format; the message names what is in the way."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """A field of the record that the features use; limits are closed unless said otherwise."""

    name: str
    kind: InputKind
    expected: str  # in words
    nullable: bool = False
    required: bool = True
    default: Value = None
    choices: tuple[str | int, ...] = ()
    spelled: bool = False  # read in any case, with spaces
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True)
class Number:
    """A feature that is a field's value; without one where that is null."""

    name: str
    field: str


@dataclass(frozen=True)
class Category:
    """A feature that is a text of fields: `parts` are texts and the inputs between them, a pair of
    the word "field" and the name. Without one where its only field is null."""

    name: str
    parts: tuple[str | tuple[Literal["field"], str], ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The inputs that it is made of, in order."""
        return tuple(part[1] for part in self.parts if isinstance(part, tuple))


@dataclass(frozen=True)
class Lookup:
    """A feature that is looked up by the values of fields that have few: a number, a text, or none
    where the feature is left out."""

    name: str
    fields: tuple[str, ...]
    values: Mapping[tuple[Value, ...], str | float | None]

    @property
    def is_category(self) -> bool:
        """Whether its values are texts."""
        return any(isinstance(value, str) for value in self.values.values())


Feature = Number | Category | Lookup


@dataclass(frozen=True)
class Answer:
    """A key of the answer: the score, the score or zero, or whether it is at least `threshold`; of
    several classes the largest probability, the most likely class, or all probabilities."""

    name: str
    kind: AnswerKind
    threshold: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Form:
    """A model as a format has to hold it. Most have one part; several are numbers of several
    classes, `classes` in order, and `link` says what becomes of them."""

    model: Model
    manifest: Manifest
    version: str
    inputs: tuple[Input, ...]
    features: tuple[Feature, ...]
    parts: tuple[Linear | Trees, ...]
    classes: tuple[str, ...] = ()
    link: str = "identity"  # of several parts; one part has its own
    answers: tuple[Answer, ...]
    notes: tuple[str, ...] = ()  # what the format leaves out

    @property
    def kind(self) -> Literal["linear", "trees"]:
        """What its parts are."""
        return "linear" if isinstance(self.parts[0], Linear) else "trees"

    @property
    def nodes(self) -> int:
        """The nodes of all its trees; none of a linear model."""
        return sum(part.header.nodes for part in self.parts if isinstance(part, Trees))

    @property
    def separator(self) -> str:
        """What stands between a category's name and its value in `unseen`."""
        return self.parts[0].separator

    @property
    def header(self) -> Header:
        """What trees say of themselves: numbers and categories are the same for each part."""
        [header, *_] = (part.header for part in self.parts if isinstance(part, Trees))
        return header

    @property
    def linked(self) -> str:
        """The link over one sum, `identity` or `logistic`; over several `softmax`, `logistic` or
        `shares`."""
        if self.classes:
            return self.link
        part = self.parts[0]
        return part.table.link if isinstance(part, Linear) else part.header.link

    def known(self, feature: str) -> dict[str, tuple[float, ...]]:
        """Return the categories of a feature: with its weight for each part, or its code."""
        first = self.parts[0]
        if isinstance(first, Linear):
            tables = [part.table.categories.get(feature, {}) for part in self.parts
                      if isinstance(part, Linear)]  # fmt: skip
            return {text: tuple(one[text] for one in tables) for text in tables[0]}
        texts = first.header.categories.get(feature, [])
        return {text: (float(code),) for code, text in enumerate(texts)}

    def input(self, name: str) -> Input:
        """Return the input of a field."""
        return next(one for one in self.inputs if one.name == name)

    @property
    def categories(self) -> tuple[Category | Lookup, ...]:
        """The features that are texts."""
        return tuple(
            one
            for one in self.features
            if isinstance(one, Category) or (isinstance(one, Lookup) and one.is_category)
        )

    @property
    def numbers(self) -> tuple[Number | Lookup, ...]:
        """The features that are numbers."""
        return tuple(
            one
            for one in self.features
            if isinstance(one, Number) or (isinstance(one, Lookup) and not one.is_category)
        )
