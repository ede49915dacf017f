"""GET /metrics, for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response

from serving.metrics.recorder import Metrics


def blueprint(metrics: Metrics) -> Blueprint:
    """Return the route that shows what is counted, summed over all workers."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def shown() -> Response:
        return Response(metrics.text(), content_type=metrics.content_type)

    return routes
