"""A pair that scikit-learn cannot load any more, as the data that it still is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from scoring.artifact.facts import last_step
from scoring.compiler.compile import CompiledFile, NotCompiled
from scoring.compiler.saved import compile_saved
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.saved.shapes import Candidate
from scoring.saved.stand_ins import Name
from scoring.saved.views import view
from scoring.scorers.base import check_features
from scoring.scorers.meaning import (
    check_categories,
    class_columns,
    positive_column,
    respelled,
)

# Another library's reader: of the vectorizer's columns and separator it makes the compiled form and
# the class of the model; None for what is not of that library.
Other = Callable[[list[str], str], tuple[CompiledFile, str] | None]


class Read(NamedTuple):
    """What a pair comes to without its library."""

    made: CompiledFile
    vectorizer: Any  # has feature_names_, vocabulary_ and separator
    estimator: Any  # a view
    kind: str  # the class of its last step
    respelled: dict[str, str]  # columns whose category is spelt anew, old to new


def read_pair_as_data(
    chosen: Candidate, model: Model, positive: str | None, other: Other | None = None
) -> Read:
    """Return the compiled form of a pair for a model.

    Raises ArtifactError where it does not fit the model's features, and NotCompiled where its
    estimator cannot be read so.
    """
    vectorizer = vectorizer_of(chosen)
    estimator = view(chosen.estimator)
    vectorizer, changed = respelled(vectorizer, model)
    names, separator = vectorizer.feature_names_, vectorizer.separator
    fitted = {head + found for head, found, _ in (name.partition(separator) for name in names)}
    check_features(fitted, separator, model)
    known: dict[str, set[str]] = {}
    for head, found, category in (name.partition(separator) for name in names):
        if found:
            known.setdefault(head, set()).add(category)
    check_categories(known, model)
    if other is not None and (found := other(names, separator)) is not None:
        return Read(found[0], vectorizer, estimator, found[1], changed)
    column, places = 1, None
    if model.task == "classification":
        last = estimator.steps[-1][1] if type(estimator).__name__ == "Pipeline" else estimator
        classes, wanted = getattr(last, "classes_", None), len(model.classes) or 2
        if classes is None or len(classes) != wanted:
            number = "two" if wanted == 2 else wanted
            several = "no classes" if classes is None else f"{len(classes)} classes, not {number}"
            raise ArtifactError(f"{type(last).__name__} knows {several}")
        if model.classes:
            columns = class_columns(list(classes), model.classes)
            places = dict(zip(model.classes, columns, strict=True))
        else:
            column = positive_column(list(classes), positive)
    made = compile_saved(
        estimator, names,
        separator=separator, task=model.task, positive=column, classes=places,
    )  # fmt: skip
    return Read(made, vectorizer, estimator, last_step(estimator), changed)


def vectorizer_of(chosen: Candidate) -> Any:
    """Return an object with what a pair's DictVectorizer holds: feature_names_, vocabulary_,
    separator and sparse. Raises ArtifactError where that is none, NotCompiled where it makes other
    numbers than float64."""
    saved = view(chosen.vectorizer)
    names: Any = getattr(saved, "feature_names_", None)
    vocabulary: Any = getattr(saved, "vocabulary_", None)
    separator = getattr(saved, "separator", "=")
    fitted = isinstance(names, list) and isinstance(vocabulary, dict) and names
    if not fitted or not all(isinstance(name, str) for name in names or ()):
        raise ArtifactError("the DictVectorizer is not fitted")
    if not isinstance(separator, str) or not separator:
        raise ArtifactError("the DictVectorizer has no separator")
    if [vocabulary.get(name) for name in names] != list(range(len(names))):
        raise ArtifactError("the DictVectorizer's columns are damaged")
    kind = getattr(saved, "dtype", Name("numpy", "float64"))
    if kind != Name("numpy", "float64") and not _is_double(kind):
        raise NotCompiled(f"its DictVectorizer makes {kind}")
    return SimpleNamespace(
        feature_names_=names, vocabulary_=vocabulary, separator=separator, sparse=saved.sparse
    )


def _is_double(kind: Any) -> bool:
    try:
        return bool(np.dtype(kind) == np.float64)
    except TypeError:
        return False
