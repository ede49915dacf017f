"""What every scorer takes and gives, and the check that it fits a model's features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from scoring.errors import ArtifactError
from scoring.models import Features, Model

# Of compiled forms, as the manifest names them.
Kind = Literal["linear", "trees", "means", "classes"]

# The score, of several classes a `Shares`, and the one-hot names that training never saw:
# `PU_DO=10_50`.
Score = tuple[float, Sequence[str]]

# n_records scores, in order, and the unseen names of those records that have any, by their place.
Scores = tuple[list[float], dict[int, Sequence[str]]]


def check_features(fitted: set[str], separator: str, model: Model) -> None:
    """Raise ArtifactError unless a model that was fitted on `fitted` (the names of its numbers,
    and those of its categories with `separator` behind them) takes what `model`'s code makes.

    Features that are made only where a field is null, or is not, may be in it or not.
    """
    made: list[set[str]] = [
        {n + separator if isinstance(v, str) else n for n, v in features.items()}
        for features in _variants(model)
    ]
    always, ever = set.intersection(*made), set.union(*made)
    if not always <= fitted <= ever:
        wrong = sorted((fitted - ever) | (always - fitted))
        raise ArtifactError(
            f"the pair was fitted on other features than '{model.name}' makes: "
            f"{', '.join(repr(name) for name in wrong[:5])} only in "
            f"{'the pair' if wrong[0] in fitted else 'the code'}"
        )


def may_be_absent(model: Model) -> set[str]:
    """Return the names of the features that are not made of every record."""
    made: list[set[str]] = [set(features) for features in _variants(model)]
    return made[0].union(*made) - made[0].intersection(*made)


def _variants(model: Model) -> Iterator[Features]:
    """Yield the features of the example, and of the example with each field null that may be."""
    for nulls in ({}, *({name: None} for name in sorted(model.nullable))):
        yield model.features(model.record.model_validate({**model.example, **nulls}))
