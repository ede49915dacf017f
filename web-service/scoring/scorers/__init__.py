"""How features become a score: what an artifact's files are turned into.

    linear.py      a weight a feature, read from `scorer.json`
    trees.py       forests and boosting as arrays of nodes, read from `scorer.trees`;
                   leafsets.py for small trees, vectorised.py for many records and large ones
    pair.py        the fitted pair through scikit-learn, for what has no compiled form
    compiling.py   makes the file of a fitted pair and proves it; flatten.py reads the trees

The artifact chooses. What is compiled is data, and takes the standard library to evaluate; the
modules that import numpy or scikit-learn are imported where they are needed and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from scoring.errors import ArtifactError
from scoring.models import Features, Model

if TYPE_CHECKING:
    from scoring.scorers.linear import Linear

# Of compiled forms, as the manifest names them.
Kind = Literal["linear", "trees"]

# The score, and the one-hot names that training never saw: `PU_DO=10_50`.
Score = tuple[float, Sequence[str]]

# n_records scores, in order, and the unseen names of those records that have any, by their place.
Scores = tuple[list[float], dict[int, Sequence[str]]]


class Scorer(Protocol):
    """What every kind of scorer can do. A score is the predicted value of a regression, or the
    probability of the positive class; it may be infinite or NaN where the model is broken."""

    kind: str  # linear, trees, scikit-learn: what computes

    def one(self, features: Features) -> Score:
        """Gives one record's score."""

    def many(self, features: Sequence[Features]) -> Scores:
        """Gives the scores of several records."""

    def linear(self) -> Linear | None:
        """Gives the weights of a linear model; None of any other."""

    def importances(self) -> Sequence[float] | None:
        """Gives the importances (n_features,), in the order of the manifest's `feature_names`, that
        trees have in the place of weights; None of a model without them."""


def check_features(fitted: set[str], separator: str, model: Model) -> None:
    """Raises ArtifactError unless a model that was fitted on `fitted` (the names of its numbers,
    and those of its categories with `separator` behind them) takes what `model`'s code makes."""
    example = model.features(model.record.model_validate(model.example))
    made = {name + separator if isinstance(value, str) else name for name, value in example.items()}
    if fitted != made:
        wrong = sorted(fitted ^ made)
        raise ArtifactError(
            f"the pair was fitted on other features than '{model.name}' makes: "
            f"{', '.join(repr(name) for name in wrong[:5])} only in "
            f"{'the pair' if wrong[0] in fitted else 'the code'}"
        )
