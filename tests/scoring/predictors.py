"""Predictors over tiny pairs, for their tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scoring.artifact.manifest import Manifest
from scoring.artifact.reading import Artifact
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.scorers.sklearn import SklearnScorer
from tests.support import tiny_pair

MODELS = discover()


def manifest(model: Model, **facts: Any) -> Manifest:
    """Return a manifest with no golden record."""
    given = {
        "model": model.name, "version": "1", "file": model.artifact_file, "sha256": "0" * 64,
        "created": datetime.now(UTC), "estimator": "", "parameters": {}, "threshold": 0.5,
        "python": "", "libraries": {}, "feature_names": [], "golden": [],
    }  # fmt: skip
    return Manifest.model_validate({**given, **facts})


def predictor(model: Model, pair: Any = None, **facts: Any) -> Predictor:
    """Return a predictor that was never a file."""
    return Predictor(
        model, Artifact(manifest(model, **facts), SklearnScorer(pair or tiny_pair(model), model))
    )
