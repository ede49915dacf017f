"""Tiny real artifacts of any model, made from its example alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.artifact.calibration import TAILS, Calibration
from scoring.artifact.facts import Facts
from scoring.artifact.manifest import Manifest
from scoring.artifact.writing import write
from scoring.models import Model
from scoring.values.field_schemas import field_schemas
from training.fit.estimators import given_parameters
from training.fit.features import narrow
from training.provenance import provenance


def records(model: Model, count: int = 60) -> list[dict[str, Any]]:
    """Return valid records of any model: the example, then `count` more with every field moved
    through its range."""
    fields = field_schemas(model.record)
    rows = [dict(model.example)]
    for number in range(count):
        record = dict(model.example)
        for place, (name, field) in enumerate(fields.items()):
            if {"nullable", "format", "exclusiveMinimum", "multipleOf"} & field.keys():
                continue
            if "enum" in field:
                record[name] = field["enum"][(number + place) % len(field["enum"])]
            elif field.get("type") == "integer":
                span = min(field.get("maximum", 100), 100) - field.get("minimum", 0) + 1
                record[name] = field.get("minimum", 0) + (number * 7 + place) % span
            elif field.get("type") == "number":
                record[name] = field.get("minimum", 0) + number * 0.5
        rows.append(record)
    return rows


def tiny_pair(model: Model, estimator: Any = None, **vectorizer_options: Any) -> tuple[Any, Any]:
    """Return a (vectorizer, estimator) pair fitted on `records`: a higher number in the last
    numeric field scores higher."""
    rows = [model.features(model.record.model_validate(row)) for row in records(model)]
    numeric = [[v for v in row.values() if isinstance(v, float | int)] for row in rows]
    y = np.array([2.0 + 3.0 * values[-1] for values in numeric])
    vectorizer = DictVectorizer(**vectorizer_options)
    x = narrow(vectorizer.fit_transform(rows))
    if model.task == "classification":
        y = (y > np.median(y)).astype(int)
        chosen = LogisticRegression(solver="liblinear") if estimator is None else estimator
        return vectorizer, chosen.fit(x, y)
    return vectorizer, (LinearRegression() if estimator is None else estimator).fit(x, y)


def write_artifact(model: Model, output: Path, estimator: Any = None, **given: Any) -> Manifest:
    """Write a tiny artifact of any model to `output/<model>/` and return its manifest."""
    chosen = {"golden": records(model, 4), **given}
    return write_pair(output, model, tiny_pair(model, estimator), **chosen)


def calibration(model: Model) -> Calibration | None:
    """Return made-up errors of a regression, smaller below a score of 30 than above it; None of a
    classification."""
    if model.task == "classification":
        return None
    wide = [10.0 - place / 10 for place in range(TAILS)]
    narrow_ones = [error / 4 for error in wide]
    return Calibration(
        split="test",
        rows=500,
        edges=[30.0],
        below=[[-error for error in errors] for errors in (narrow_ones, wide)],
        above=[narrow_ones, wide],
    )


def write_pair(output: Path, model: Model, pair: tuple[Any, Any], **given: Any) -> Manifest:
    """Write the artifact of a pair as a training does; `given` are facts and options of `write`,
    by default the example as the golden record and the model's threshold."""
    options: dict[str, Any] = {
        name: given.pop(name) for name in ("draw", "pickled", "say") if name in given
    }
    options["golden"] = given.pop("golden", [model.example])
    told = {
        "threshold": model.threshold,
        "provenance": provenance(),
        "parameters": given_parameters(pair[1]),
    }
    return write(output, model, pair, Facts(**{**told, **given}), **options)
