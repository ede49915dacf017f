"""How features become a score: what an artifact's files are turned into.

    linear.py      a weight a feature, read from `scorer.json`
    trees.py       forests and boosting; tree_file.py reads their arrays from `scorer.trees`,
                   leafsets.py is for small trees, vectorised.py for many records and large ones
    means.py       trees over numbers that stand for categories, in `scorer.means`; steps.py has the
                   scores of common ones
    classes.py     several classes: a linear model or trees for each, in `scorer.classes`
    sklearn.py     the fitted pair through scikit-learn, for what has no compiled form; meaning.py
                   checks what its parts mean, tree_nodes.py that its trees end
    columns.py     a linear model over many typed records
    base.py        what all of them share

The artifact chooses. What is compiled is data, and takes the standard library to evaluate; the
modules that import numpy or scikit-learn are imported where they are needed and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scoring.models import Features
from scoring.scorers.base import Score, Scores
from scoring.scorers.linear import Linear


class Scorer(Protocol):
    """What every kind of scorer can do. A score is the predicted value of a regression, or the
    probability of the positive class, or of several classes a `Shares`; it may be infinite or NaN
    where the model is broken."""

    def one(self, features: Features) -> Score:
        """Return one record's score and its unseen categories."""

    def many(self, features: Sequence[Features]) -> Scores:
        """Return the scores of several records, in order, and their unseen categories."""

    def linear(self) -> Linear | None:
        """Return the weights of a linear model of one score; None of any other."""

    def importances(self) -> Sequence[float] | None:
        """Return the importances (n_features,) that trees have in the place of weights.

        They are in the order of the manifest's `feature_names`; None for a model without them.
        """
