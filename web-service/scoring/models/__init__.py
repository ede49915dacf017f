"""One file a model. A model file says what a record is, which features are made from it, what is
predicted and how the score becomes an answer, and ends in `MODEL = Model(...)`. A new file here is
found by `discover` and needs no entry anywhere."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scoring.record import Record

# What a DictVectorizer takes: text is one-hot encoded as "name=value", a number is kept.
Features = Mapping[str, str | float]

# The value of a prediction as JSON: {"duration": 37.4}.
Answer = dict[str, float | bool]


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything the service and the training know about one model.

    `score` is what the estimator gives for one record: the predicted value of a regression, the
    probability of the positive class of a classification.
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
    answer: Callable[[float, float], Answer]  # takes the score and the threshold
    example: Mapping[str, Any]  # a valid record: warms up, checks, documents
    threshold: float = 0.5  # of a classification, unless the manifest says otherwise
    intended_use: str = ""  # for people, on the model card
    limits: tuple[str, ...] = ()  # where not to trust it, on the model card
    rank: int = 100  # served in this order where MODELS is not set; the lowest is the default


def discover() -> dict[str, Model]:
    """Gives every model of this package by name, in the order in which they are served."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    models: list[Model] = [module.MODEL for module in modules]
    return {model.name: model for model in sorted(models, key=lambda m: (m.rank, m.name))}
