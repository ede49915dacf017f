"""What only the route knows of a request, for the access log, the metrics and the traces."""

from __future__ import annotations

from typing import Final, NamedTuple

from serving.metrics.http import OTHER

ENVIRON_KEY: Final = "serving.route_info"  # where a WSGI environment holds it


class RouteInfo(NamedTuple):
    """The route's template, the model and version that answered, and the API key's name."""

    route: str = OTHER  # of an address that is no route
    model: str | None = None
    version: str | None = None
    key: str | None = None
