"""GET /models and GET /models/<model>: what is served."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, current_app, request

from scoring.artifact.calibration import LEAST, MOST
from scoring.predictor import Predictor
from serving.fields import example, record_schema
from serving.openapi.operations import Operations, get, in_path
from serving.responses import json_response
from serving.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the routes that describe the models."""
    routes = Blueprint("catalogue", __name__)
    predictors, reloader = services.predictors, services.reloader

    def described(predictor: Predictor) -> dict[str, Any]:
        description = summary(predictor)
        if reloader:
            description["registry"] = reloader.describe(predictor.model.name)
        return description

    @routes.get("/models")
    def every_model() -> Response:
        models = [described(predictor) for predictor in predictors]
        return json_response({"default": predictors.default.model.name, "models": models})

    @routes.get("/models/<name>")
    def one_model(name: str) -> Response:
        predictor = predictors.get(name)
        # a record in the address is a link to its prediction, for those who have a browser
        page = current_app.view_functions.get("pages.linked") if request.query_string else None
        kinds = request.accept_mimetypes
        if page and kinds.best_match(["application/json", "text/html"]) == "text/html":
            return cast("Response", page(name=name))
        answer = json_response(described(predictor))
        answer.vary.add("Accept")
        return answer

    return routes


def operations(services: Services) -> Operations:
    """Return the OpenAPI operations of these routes."""
    names = [predictor.model.name for predictor in services.predictors]
    one = get("get_model", "models", "One model: version, metrics, record, example", 404)
    return {
        "/models": get("list_models", "models", "What is served"),
        "/models/{name}": {"parameters": [in_path("name", {"enum": names})], **one},
    }


def intervals(predictor: Predictor) -> dict[str, Any] | None:
    """Return which prediction intervals a model gives, and from how many rows of which part of the
    data they are; None where it gives none."""
    found = predictor.manifest.calibration
    if found is None:
        return None
    return {"least": LEAST, "most": MOST, "split": found.split, "rows": found.rows}


def summary(predictor: Predictor) -> dict[str, Any]:
    """Return what a caller should know about a model before asking it."""
    model, manifest = predictor.model, predictor.manifest
    return {
        "name": model.name,
        "title": model.title,
        "registered_name": model.registered_name,
        "version": predictor.version,
        "digest": f"sha256:{manifest.sha256}",
        "trained": manifest.trained.isoformat() if manifest.trained else None,
        "loaded": predictor.loaded.isoformat(timespec="seconds"),
        "task": model.task,
        "target": model.target,
        "unit": model.unit,
        "threshold": None if model.classes or model.task == "regression" else manifest.threshold,
        **({"classes": list(model.classes)} if model.classes else {}),
        "estimator": manifest.estimator,
        "data": {split: data.model_dump(mode="json") for split, data in manifest.data.items()},
        "metrics": manifest.metrics,
        "baseline": manifest.baseline,
        "notes": manifest.notes,
        "intervals": intervals(predictor),
        "record": record_schema(model),
        "example": example(model),
    }
