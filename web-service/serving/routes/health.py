"""GET /ping and the health of the process."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from scoring.errors import NotReady
from serving.openapi.operations import Operations, get
from serving.responses import json_response
from serving.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return the routes that say how the service is."""
    routes = Blueprint("health", __name__)

    @routes.get("/ping")
    def ping() -> Response:
        return Response("PONG", mimetype="text/plain")

    @routes.get("/health/live")
    def live() -> Response:
        return json_response({"status": "live"})

    @routes.get("/health/ready")
    def ready() -> Response:
        ensure_ready(services)
        versions = {p.model.name: p.version for p in services.predictors}
        status: dict[str, Any] = {"status": "ready", "models": versions}
        if services.reloader and (stale := services.reloader.stale()):
            status["stale"] = stale  # they serve all the same: ready, and worth a look
        if services.lifetime.tls_is_old:
            status["tls"] = (
                "the files could not be used at the last reload; those before still serve"
            )
        return json_response(status)

    return routes


def ensure_ready(services: Services) -> None:
    """Raise NotReady while the service is stopping.

    Else it is ready: a service whose models cannot all serve does not start.
    """
    if services.lifetime.stopping:
        raise NotReady("the service is stopping; it answers only what it has accepted")


def operations() -> Operations:
    """Return the OpenAPI operations of these routes."""
    return {
        "/ping": get("ping", "health", "PONG", text="PONG"),
        "/health/live": get("live", "health", "Whether the process answers"),
        "/health/ready": get("ready", "health", "Whether it can predict", 503),
    }
