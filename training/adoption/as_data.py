"""Take in a pair that scikit-learn cannot load any more, as the data that it still is; models of
LightGBM and CatBoost too, whose packages are not asked."""

from __future__ import annotations

from scoring.compiler.as_data import Read, read_pair_as_data
from scoring.compiler.compile import CompiledFile, NotCompiled
from scoring.compiler.ensembles import NotFlat
from scoring.compiler.saved import compile_classes, compile_ensemble
from scoring.models import Model
from scoring.saved.shapes import Candidate
from scoring.saved.views import view
from scoring.scorers.meaning import class_columns, positive_column
from training.adoption.catboost_json import catboost_trees, is_catboost
from training.adoption.lightgbm_text import is_lightgbm, lightgbm_trees


def read_as_data(chosen: Candidate, model: Model, positive: str | None) -> Read:
    """Return the compiled form of a pair for a model.

    Raises ArtifactError where it does not fit the model's features, and NotCompiled where its
    estimator cannot be read so.
    """

    def other(names: list[str], separator: str) -> tuple[CompiledFile, str] | None:
        if is_lightgbm(chosen.estimator):
            return _lightgbm(chosen, names, separator, model, positive)
        if is_catboost(chosen.estimator):
            return _catboost(chosen, names, separator, model, positive)
        return None

    return read_pair_as_data(chosen, model, positive, other)


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
