"""The default estimator: the first of the task, or one that has to prove better on the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sklearn.feature_extraction import DictVectorizer

from scoring.models import Model
from training.data.split import Splits
from training.evaluation.metrics import deciding_metric, regression
from training.fit import estimators
from training.fit.pair import fit, score
from training.sources import Source

# Of the training data. Fewer say too little of most categories, and a model that is trained in a
# moment should be: the bundled sample's.
FEWEST_ROWS: Final = 30_000


@dataclass(frozen=True)
class Candidate:
    """A pair that is fitted or is to be, and the model with the features that it takes."""

    name: str
    model: Model
    vectorizer: DictVectorizer
    estimator: Any

    @classmethod
    def of(
        cls, model: Model, source: Source, name: str, parameters: dict[str, Any], seed: int
    ) -> Candidate:
        """Return one that is not fitted. Raises TrainingError for a name or a parameter that there
        is not."""
        task = estimators.task_of(model)
        estimator = estimators.make(task, name, parameters, seed, sparse=source.sparse)
        taken = model.whole() if name in estimators.TAKE_FURTHER else model
        return cls(name, taken, DictVectorizer(sparse=source.sparse), estimator)

    def fit(self, splits: Splits) -> None:
        """Fit it on the training rows."""
        fit(self.vectorizer, self.estimator, splits.training, splits.validation, self.model)


def contender_of(source: Source, splits: Splits) -> str | None:
    """Return the estimator that contends for the default on these rows; None where there is none,
    or too few rows to try it."""
    return source.contender if len(splits.training) >= FEWEST_ROWS else None


def contest(
    default: Candidate, contender: Candidate, splits: Splits, say: Callable[[str], object]
) -> Candidate:
    """Fit both on the training rows and return the one with the smaller error on the validation
    rows, fitted; `say` is told both errors."""
    metric = deciding_metric(default.model)
    found = []
    for one in (default, contender):
        one.fit(splits)
        scores = score(one.vectorizer, one.estimator, splits.validation, one.model)
        truth = splits.validation[one.model.target].to_numpy(dtype="float64")
        found.append(regression(truth, scores)[metric])
    winner = contender if found[1] < found[0] else default
    say(
        f"{winner.name} is trained: on the validation data the {metric} of {default.name} is "
        f"{found[0]:.4f}, that of {contender.name} {found[1]:.4f}"
    )
    return winner
