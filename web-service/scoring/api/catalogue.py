"""GET /models and GET /models/<model>: what is served."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from scoring.jsontext import encode
from scoring.predictor import Predictor
from scoring.registry.following import Following
from scoring.service import Predictors


def blueprint(predictors: Predictors, following: Following | None = None) -> Blueprint:
    """Gives the routes that describe the models."""
    routes = Blueprint("catalogue", __name__)

    def described(predictor: Predictor) -> dict[str, Any]:
        found = summary(predictor)
        if following:
            found["registry"] = following.describe(predictor.model.name)
        return found

    @routes.get("/models")
    def every_model() -> Response:
        models = [described(predictor) for predictor in predictors]
        default = predictors.default.model.name
        return _json({"default": default, "models": models})

    @routes.get("/models/<name>")
    def one_model(name: str) -> Response:
        return _json(described(predictors.get(name)))

    return routes


def summary(predictor: Predictor) -> dict[str, Any]:
    """Gives what a caller should know about a model before asking it."""
    model, manifest = predictor.model, predictor.manifest
    return {
        "name": model.name,
        "title": model.title,
        "registered_name": model.registered_name,
        "version": predictor.version,
        "digest": f"sha256:{manifest.sha256}",
        "trained": manifest.created.isoformat(),
        "loaded": predictor.loaded.isoformat(timespec="seconds"),
        "task": model.task,
        "target": model.target,
        "unit": model.unit,
        "threshold": manifest.threshold if model.task == "classification" else None,
        "estimator": manifest.estimator,
        "data": {split: data.model_dump(mode="json") for split, data in manifest.data.items()},
        "metrics": manifest.metrics,
        "baseline": manifest.baseline,
        "notes": manifest.notes,
        "record": model.record.model_json_schema(),
        "example": dict(model.example),
    }


def _json(value: dict[str, Any]) -> Response:
    return Response(encode(value), mimetype="application/json")
