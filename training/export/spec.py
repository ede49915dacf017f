"""The form as plain values, as the files of Python and JavaScript hold it."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Any

from scoring.scorers.linear import Linear
from scoring.scorers.trees import Trees
from training.export.form import Category, Feature, Form, Input, Number


def spec_of(form: Form) -> dict[str, Any]:
    """Return what a file needs to score: fields, features, answers and the scorer."""
    return {
        "model": form.model.name,
        "version": form.version,
        "sha256": form.manifest.sha256,
        "separator": form.separator,
        "fields": [field_spec(one) for one in form.inputs],
        "features": [feature_spec(one) for one in form.features],
        "answers": [[one.name, one.kind, one.threshold] for one in form.answers],
        "classes": list(form.classes),
        "link": form.linked,
        "kind": form.kind,
        "parts": [_part_spec(part) for part in form.parts],
    }


def _part_spec(part: Linear | Trees) -> dict[str, Any]:
    if isinstance(part, Linear):
        return {
            "intercept": part.intercept,
            "numbers": dict(part.table.numbers),
            "categories": {name: dict(found) for name, found in part.table.categories.items()},
        }
    header = part.header
    return {
        "single": header.single,
        "base": header.base,
        "scale": header.scale,
        "numbers": header.numbers,
        "categories": header.categories,
        # int32, int16, float64, int32, int32, little-endian
        "nodes": {name: _packed(found) for name, found in part.nodes._asdict().items()},
    }


def field_spec(one: Input) -> dict[str, Any]:
    """Return what is said of an input, without what is not."""
    said = {
        "name": one.name, "kind": one.kind, "expected": one.expected,
        "nullable": one.nullable, "spelled": one.spelled, "choices": list(one.choices),
        "low": one.low, "high": one.high, "low_open": one.low_open, "high_open": one.high_open,
    }  # fmt: skip
    kept = {
        name: value
        for name, value in said.items()
        if value is not None and value is not False and value != []
    }
    return kept if one.required else {**kept, "default": one.default}


def feature_spec(feature: Feature) -> dict[str, Any]:
    """Return a feature: of its `field`, its `parts`, or its `table`."""
    if isinstance(feature, Number):
        return {"name": feature.name, "field": feature.field}
    if isinstance(feature, Category):
        parts = [part if isinstance(part, str) else [part[1]] for part in feature.parts]
        return {"name": feature.name, "parts": parts}
    table = [[list(key), value] for key, value in feature.values.items()]
    return {"name": feature.name, "fields": list(feature.fields), "table": table}


def _packed(found: array[Any]) -> str:
    if sys.byteorder == "big":
        found = array(found.typecode, found)
        found.byteswap()
    return base64.b64encode(found.tobytes()).decode()
