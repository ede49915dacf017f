"""An artifact as the form that exports are written from, tried against the model's own code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoring.models import Features
from scoring.predictor import Predictor
from scoring.record import RecordReader
from scoring.scorers.classes import Classes
from scoring.scorers.linear import Linear
from scoring.scorers.means import Means
from scoring.scorers.trees import Trees
from training.export.answers import answers_of
from training.export.form import Category, ExportError, Feature, Form, Lookup, Value
from training.export.inputs import inputs_of
from training.export.trace import trace
from training.export.trials import trials


def read_form(predictor: Predictor) -> Form:
    """Return the form of a model that may serve. Raises ExportError where it has no compiled form,
    or its features are made in a way that no format can hold."""
    model, manifest, scorer = predictor.model, predictor.manifest, predictor.scorer
    if isinstance(scorer, Means):
        raise ExportError(
            f"'{model.name}' is trees over numbers that stand for categories, and no format holds "
            "those yet; skops keeps the pair as it is"
        )
    if not isinstance(scorer, Linear | Trees | Classes):
        raise ExportError(
            f"{manifest.estimator} has no compiled form, from which formats are written; skops "
            "keeps the pair as it is"
        )
    parts = scorer.parts if isinstance(scorer, Classes) else (scorer,)
    if any(isinstance(part, Trees) and part.header.absent is not None for part in parts):
        raise ExportError(
            f"the trees of '{model.name}' tell a number that is missing from every value, which no "
            "format holds yet; skops keeps the pair as it is"
        )
    features = trace(model)
    used = {name for feature in features for name in fields_of(feature)}
    inputs, unchecked = inputs_of(model, used)
    answers, left_out = answers_of(model, manifest.threshold)
    form = Form(
        model=model,
        manifest=manifest,
        version=predictor.version,
        inputs=inputs,
        features=features,
        parts=parts,
        classes=scorer.classes if isinstance(scorer, Classes) else (),
        link=scorer.link if isinstance(scorer, Classes) else "identity",
        answers=answers,
        notes=(*unchecked, *left_out),
    )
    check_features_of(form)
    return form


def fields_of(feature: Feature) -> tuple[str, ...]:
    """Return the fields that a feature is made of."""
    if isinstance(feature, Category | Lookup):
        return feature.fields
    return (feature.field,)


def made_features(form: Form, record: Mapping[str, Value]) -> dict[str, str | float]:
    """Return the features of a valid record, spelled as the schema does, as an export makes
    them."""
    made: dict[str, str | float | None] = {}
    for feature in form.features:
        values = [record[name] for name in fields_of(feature)]
        if isinstance(feature, Lookup):
            made[feature.name] = feature.values[tuple(values)]
        elif isinstance(feature, Category):
            texts = [part if isinstance(part, str) else record[part[1]] for part in feature.parts]
            made[feature.name] = None if None in values else "".join(map(str, texts))
        else:
            [number] = values
            made[feature.name] = None if number is None else float(number)
    return {name: value for name, value in made.items() if value is not None}


def check_features_of(form: Form) -> None:
    """Raise ExportError where the form makes other features than the model's code."""
    reader = RecordReader(form.model.record)
    for values in trials(form, 300):
        record = reader.one(values)
        wanted = form.model.features(record)
        found = made_features(form, record.model_dump(mode="json"))
        for name in {**wanted, **found}:
            if not _same(wanted, found, name):
                raise ExportError(
                    f"feature '{name}' is made of {', '.join(_fields(form, name)) or 'nothing'} in "
                    "a way that no format can hold"
                )


def _fields(form: Form, name: str) -> tuple[str, ...]:
    return next((fields_of(one) for one in form.features if one.name == name), ())


def _same(wanted: Features, found: Mapping[str, Any], name: str) -> bool:
    one, other = wanted.get(name), found.get(name)
    return isinstance(one, str) == isinstance(other, str) and one == other
