"""Take in a pair that scikit-learn cannot load any more, as the data that it still is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from scoring.artifact.facts import last_step
from scoring.compiler.compile import CompiledFile, NotCompiled
from scoring.compiler.ensembles import NotFlat
from scoring.compiler.saved import compile_classes, compile_ensemble, compile_saved
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.saved.shapes import Candidate
from scoring.saved.stand_ins import Name
from scoring.scorers.base import check_features
from scoring.scorers.meaning import (
    check_categories,
    class_columns,
    positive_column,
    respelled,
)
from training.adoption.catboost_json import catboost_trees, is_catboost
from training.adoption.lightgbm_text import is_lightgbm, lightgbm_trees
from training.adoption.views import view


class Read(NamedTuple):
    """What a pair comes to without its library."""

    made: CompiledFile
    vectorizer: Any  # has feature_names_, vocabulary_ and separator
    estimator: Any  # a view
    kind: str  # the class of its last step
    respelled: dict[str, str]  # columns whose category is spelt anew, old to new


def read_as_data(chosen: Candidate, model: Model, positive: str | None) -> Read:
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
    if is_lightgbm(chosen.estimator):
        made, kind = _lightgbm(chosen, names, separator, model, positive)
        return Read(made, vectorizer, estimator, kind, changed)
    if is_catboost(chosen.estimator):
        made, kind = _catboost(chosen, names, separator, model, positive)
        return Read(made, vectorizer, estimator, kind, changed)
    column, places = 1, None
    if model.task == "classification":
        last = estimator.steps[-1][1] if type(estimator).__name__ == "Pipeline" else estimator
        classes, wanted = getattr(last, "classes_", None), len(model.classes) or 2
        if classes is None or len(classes) != wanted:
            number = "two" if wanted == 2 else wanted
            several = "no classes" if classes is None else f"{len(classes)} classes, not {number}"
            raise ArtifactError(f"{type(last).__name__} knows {several}")
        if model.classes:
            found = class_columns(list(classes), model.classes)
            places = dict(zip(model.classes, found, strict=True))
        else:
            column = positive_column(list(classes), positive)
    made = compile_saved(
        estimator, names,
        separator=separator, task=model.task, positive=column, classes=places,
    )  # fmt: skip
    return Read(made, vectorizer, estimator, last_step(estimator), changed)


def _lightgbm(
    chosen: Candidate, names: list[str], separator: str, model: Model, positive: str | None
) -> tuple[CompiledFile, str]:
    """Return the compiled form of LightGBM's trees, and the class of the model."""
    saved, column = view(chosen.estimator), 1
    try:
        grown, classes = lightgbm_trees(chosen.estimator, len(names))
        wanted = (len(model.classes) or 2) if model.task == "classification" else 0
        if classes != wanted:
            what = f"of {classes} classes" if classes else "for a regression"
            raise NotCompiled(f"LightGBM's model is one {what}; '{model.name}' is not")
        known = getattr(saved, "_classes", None)
        if model.classes:
            places = class_columns(range(classes) if known is None else list(known), model.classes)
            made = compile_classes(
                [grown[place] for place in places], names, separator, model.classes, "softmax"
            )
        else:
            if classes and known is not None:
                column = positive_column(list(known), positive)
            made = compile_ensemble(grown[0], names, separator, column)
    except NotFlat as error:
        raise NotCompiled(str(error)) from error
    except (ValueError, IndexError) as error:  # a text that is damaged
        raise NotCompiled(f"LightGBM's text cannot be read: {error}") from error
    return made, chosen.estimator.kind.name if chosen.estimator.kind else "LightGBM"


def _catboost(
    chosen: Candidate, names: list[str], separator: str, model: Model, positive: str | None
) -> tuple[CompiledFile, str]:
    """Return the compiled form of CatBoost's trees, and the class of the model."""
    try:
        grown, classes = catboost_trees(chosen.estimator, len(names))
        wanted = (len(model.classes) or 2) if model.task == "classification" else 0
        if len(classes) != wanted:
            what = f"of {len(classes)} classes" if classes else "for a regression"
            raise NotCompiled(f"CatBoost's model is one {what}; '{model.name}' is not")
        if model.classes:
            some = [grown[place] for place in class_columns(classes, model.classes)]
            made = compile_classes(some, names, separator, model.classes, "softmax")
        else:
            column = positive_column(classes, positive) if classes else 1
            made = compile_ensemble(grown[0], names, separator, column)
    except NotFlat as error:
        raise NotCompiled(str(error)) from error
    return made, chosen.estimator.kind.name if chosen.estimator.kind else "CatBoost"


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
