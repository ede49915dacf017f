"""The whole OpenAPI document."""

from __future__ import annotations

import re
from typing import Any, Final

from scoring import __version__
from serving.http.access import Access, access
from serving.openapi.components import (
    HEADERS,
    PARAMETERS,
    SECURITY_SCHEMES,
    Schema,
    responses,
    schemas,
)
from serving.openapi.operations import get, problem_refs
from serving.protocols import mlflow, predict, v2
from serving.routes import catalogue, feedback, health
from serving.services import Services

_STATUSES: Final[dict[Access, tuple[int, ...]]] = {
    Access.PREDICT: (401,),
    Access.FEEDBACK: (401, 403),
    Access.ADMIN: (401, 403),
}


def document(services: Services) -> dict[str, Any]:
    """Return the OpenAPI document of what is served now; only a model's version changes it."""
    predictors = services.predictors
    served = ", ".join(f"{p.model.name} ({p.version})" for p in predictors)
    operations = {
        **predict.operations(services),
        **catalogue.operations(services),
        **health.operations(),
        **mlflow.operations(services),
        **v2.operations(services),
    }
    if services.settings.feedback == "on":
        operations |= feedback.operations(services)
    if services.settings.metrics_port is None:
        summary = "What is counted, for Prometheus"
        operations["/metrics"] = get("metrics", "health", summary, text="# HELP ...")
    for path, item in operations.items():
        _secure(path, item, with_keys=services.keys is not None)
    components = {
        "schemas": schemas(predictors),
        "parameters": PARAMETERS,
        "headers": HEADERS,
        "responses": responses(),
    }
    if services.keys:
        components["securitySchemes"] = SECURITY_SCHEMES
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Prediction service",
            "version": __version__,
            "description": f"Predictions over HTTP. It serves: {served}.",
        },
        "servers": [{"url": ".", "description": "where this document came from"}],
        "tags": [
            {"name": "predictions", "description": "a record in, a prediction out"},
            {"name": "protocols", "description": "the same by other people's protocols"},
            {"name": "models", "description": "what is served"},
            {"name": "health", "description": "how the service is"},
        ],
        "paths": operations,
        "components": components,
    }


def _secure(path: str, item: Schema, *, with_keys: bool) -> None:
    """Add to an address's operations what the API keys mean for them."""
    needed = access(re.sub(r"\{(\w+)\}", r"<\1>", path))
    for method in item.keys() & {"get", "post"}:
        operation = item[method]
        operation["responses"] |= problem_refs(*_STATUSES.get(needed, ()))
        if with_keys and needed in _STATUSES:
            operation["security"] = [{scheme: []} for scheme in SECURITY_SCHEMES]
