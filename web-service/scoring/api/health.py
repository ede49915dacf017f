"""GET /ping and the health of the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response

from scoring.errors import NotReady
from scoring.jsontext import encode
from scoring.registry.following import Following
from scoring.service import Predictors


@dataclass
class Lifetime:
    """Where the process is between its start and its end."""

    stopping: bool = False


def blueprint(
    predictors: Predictors, following: Following | None = None, lifetime: Lifetime | None = None
) -> Blueprint:
    """Gives the routes that say how the service is."""
    routes = Blueprint("health", __name__)

    @routes.get("/ping")
    def ping() -> Response:
        return Response("PONG", mimetype="text/plain")

    @routes.get("/health/live")
    def live() -> Response:
        return Response(encode({"status": "live"}), mimetype="application/json")

    @routes.get("/health/ready")
    def ready() -> Response:
        if lifetime and lifetime.stopping:
            raise NotReady("the service is stopping; it answers what it has accepted")
        # a service whose models cannot all serve does not start: see create_app
        versions = {predictor.model.name: predictor.version for predictor in predictors}
        found: dict[str, Any] = {"status": "ready", "models": versions}
        if following and (stale := following.stale()):
            found["stale"] = stale  # they serve all the same: ready, and worth a look
        return Response(encode(found), mimetype="application/json")

    return routes
