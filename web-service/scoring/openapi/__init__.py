"""The service's OpenAPI 3.1 document, made from what the code already says: the records, the
answers to their examples, the error shape. A new model file appears in it by existing.

    schemas.py     components: records, answers, problems
    operations.py  paths: what is sent where, and everything that can come back
    protocols.py   paths of MLflow's protocol and of the Open Inference Protocol
"""

from __future__ import annotations

from typing import Any

from scoring import __version__
from scoring.openapi.operations import paths
from scoring.openapi.protocols import protocols
from scoring.openapi.schemas import HEADERS, PARAMETERS, responses, schemas
from scoring.service import Predictors


def document(predictors: Predictors, *, max_records: int, metrics: bool = True) -> dict[str, Any]:
    """Gives the OpenAPI document of what is served now; it changes only with a model's version.
    `metrics` says whether they are a page of the service."""
    served = ", ".join(f"{p.model.name} ({p.version})" for p in predictors)
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
        "paths": paths(predictors, max_records, metrics=metrics) | protocols(predictors),
        "components": {
            "schemas": schemas(predictors),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": responses(),
        },
    }
