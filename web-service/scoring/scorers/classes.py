"""Several classes: a compiled model of one number for each of them, and a link over the n numbers.

`scorer.classes` is one line of JSON, then the n parts, one after the other, each as the file of its
kind has it (linear.py, tree_file.py) with the link `identity`:

    {"format": 1, "kind": "classes", "of": "linear", "link": "softmax",
     "classes": ["adelie", "chinstrap", "gentoo"], "sizes": [812, 809, 815]}

To change the format, raise FORMAT and keep reading the old number here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scoring.errors import ArtifactError
from scoring.models import Features
from scoring.scorers import linear, tree_file, trees
from scoring.scorers.base import Score, Scores
from scoring.scorers.linear import Linear
from scoring.scorers.trees import Trees
from scoring.values.pydantic_errors import first_error
from scoring.values.shares import Link, Shares, linked

FORMAT: Final = 1
FILE: Final = "scorer.classes"
MAX_CLASSES: Final = 1000

Part = Linear | Trees


class Header(BaseModel):
    """The file's first line."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    kind: Literal["classes"] = "classes"
    of: Literal["linear", "trees"]
    link: Link
    classes: list[str] = Field(min_length=3, max_length=MAX_CLASSES)
    sizes: list[int]  # bytes of each part


class Classes:
    """A part for each class; a score is made of all of their sums over a record's features."""

    def __init__(self, parts: Sequence[Part], classes: tuple[str, ...], link: Link) -> None:
        """`parts` have one vocabulary; they are in the order of the classes."""
        self.parts = tuple(parts)
        self.classes = classes
        self.link = link
        self.separator = parts[0].separator
        self._weights: dict[int, Linear | None] = {}

    @property
    def fitted(self) -> set[str]:
        """The features that it takes, as `check_features` wants them."""
        return self.parts[0].fitted

    def one(self, features: Features) -> Score:
        """Return one record's score and its unseen categories."""
        found = [part.one(features) for part in self.parts]
        sums = [total for total, _ in found]
        return Shares(linked(sums, self.link), self.classes), found[0][1]

    def many(self, features: Sequence[Features]) -> Scores:
        """Return the scores of several records, in order, and their unseen categories."""
        found = [part.many(features) for part in self.parts]
        rows = zip(*(sums for sums, _ in found), strict=True)
        return [Shares(linked(sums, self.link), self.classes) for sums in rows], found[0][1]

    def linear(self) -> None:
        """Return None: there are weights for each class, see `of_class`."""

    def of_class(self, place: int) -> Linear | None:
        """Return the weights of a class, where its part is linear. Of a softmax these are less than
        the mean over all classes, which changes no probability: what they add up to is the
        logarithm of the class's probability relative to the geometric mean of all."""
        if place not in self._weights:
            self._weights[place] = self._of_class(place)
        return self._weights[place]

    def _of_class(self, place: int) -> Linear | None:
        weights = [part for part in self.parts if isinstance(part, Linear)]
        if not weights:
            return None
        if self.link != "softmax":
            return weights[place]
        return linear.of_columns(
            _centred(weights, place),
            intercept=weights[place].intercept - sum(w.intercept for w in weights) / len(weights),
            separator=self.separator,
            logistic=False,
        )

    def importances(self) -> Sequence[float] | None:
        """Return the importances (n_features,) of trees, where the estimator has them."""
        return self.parts[0].importances()


def _centred(weights: Sequence[Linear], place: int) -> Iterator[tuple[str, float]]:
    for of_each in zip(*(one.columns() for one in weights), strict=True):
        mean = sum(weight for _, weight in of_each) / len(of_each)
        name, weight = of_each[place]
        yield name, weight - mean


def read(data: bytes) -> Classes:
    """Return the scorer that a `scorer.classes` holds, or raise ArtifactError."""
    line, _, rest = data.partition(b"\n")
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        what = first_error(error, "its first line")
        raise ArtifactError(f"{FILE} cannot be used: {what}") from error
    wrong = len(header.sizes) != len(header.classes) or len({*header.classes}) < len(header.sizes)
    if wrong or min(header.sizes) < 1 or sum(header.sizes) != len(rest):
        raise ArtifactError(f"{FILE} cannot be used: its parts are not those of its first line")
    parts: list[Part] = []
    for size in header.sizes:
        part: Part = linear.read(rest[:size]) if header.of == "linear" else trees.read(rest[:size])
        rest = rest[size:]
        link = part.table.link if isinstance(part, Linear) else part.header.link
        if link != "identity" or (parts and _vocabulary(part) != _vocabulary(parts[0])):
            raise ArtifactError(f"{FILE} cannot be used: its parts do not go together")
        parts.append(part)
    nodes = sum(part.header.nodes for part in parts if isinstance(part, Trees))
    if nodes > tree_file.MAX_NODES:
        raise ArtifactError(f"{FILE} cannot be used: it has {nodes} nodes")
    return Classes(parts, tuple(header.classes), header.link)


def write(scorer: Classes) -> bytes:
    """Return the bytes of the `scorer.classes` file of a scorer."""
    files = [
        linear.write(part) if isinstance(part, Linear) else tree_file.write(part.header, part.nodes)
        for part in scorer.parts
    ]
    header = Header(
        of="linear" if isinstance(scorer.parts[0], Linear) else "trees",
        link=scorer.link,
        classes=list(scorer.classes),
        sizes=[len(file) for file in files],
    )
    return b"".join([header.model_dump_json().encode(), b"\n", *files])


def _vocabulary(part: Part) -> object:
    if isinstance(part, Linear):
        table = part.table
        return table.separator, [*table.numbers], [(k, [*v]) for k, v in table.categories.items()]
    return part.separator, part.header.numbers, part.header.categories, part.header.absent
