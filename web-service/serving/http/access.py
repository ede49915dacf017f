"""Every route of the service and who may ask it.

The one table that the API keys, the health thread and the metrics read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Access(Enum):
    """Whom a route answers where API keys are asked for."""

    PROBE = "anybody, as load balancers have no keys"
    STATIC = "anybody: files of a release that hold nothing of the models"
    SIGNED = "whoever signs the request with the route's own secret"
    PREDICT = "any key"
    FEEDBACK = "keys with the scope feedback or admin"
    ADMIN = "keys with the scope admin"


ROUTES: Final[Mapping[str, Access]] = {
    "/": Access.PREDICT,
    "/predict": Access.PREDICT,
    "/predict/<name>": Access.PREDICT,
    "/models": Access.PREDICT,
    "/models/<name>": Access.PREDICT,
    "/models/<name>/card": Access.PREDICT,
    "/models/<name>/file": Access.PREDICT,
    "/models/<name>/plots/<file>": Access.PREDICT,
    "/models/<name>/try": Access.PREDICT,
    "/models/<name>/weights.json": Access.PREDICT,
    "/assets/<digest>/<file>": Access.STATIC,
    "/today": Access.ADMIN,
    "/docs": Access.PREDICT,
    "/docs/assets/<digest>/<file>": Access.STATIC,
    "/openapi.json": Access.PREDICT,
    "/ping": Access.PROBE,
    "/health": Access.PROBE,
    "/health/live": Access.PROBE,
    "/health/ready": Access.PROBE,
    "/metrics": Access.ADMIN,
    "/hooks/mlflow": Access.SIGNED,
    "/feedback/<name>": Access.FEEDBACK,
    "/invocations": Access.PREDICT,
    "/version": Access.PREDICT,
    "/v2": Access.PREDICT,
    "/v2/health/live": Access.PROBE,
    "/v2/health/ready": Access.PROBE,
    "/v2/models/<name>": Access.PREDICT,
    "/v2/models/<name>/ready": Access.PREDICT,
    "/v2/models/<name>/infer": Access.PREDICT,
    "/v2/models/<name>/versions/<version>": Access.PREDICT,
    "/v2/models/<name>/versions/<version>/ready": Access.PREDICT,
    "/v2/models/<name>/versions/<version>/infer": Access.PREDICT,
}

_FEEDBACK: Final = "/feedback/"
_STATIC: Final = ("/assets/", "/docs/assets/")

# Answered by a thread of their own: they never wait behind predictions.
VITAL: Final = frozenset(
    route for route, access in ROUTES.items() if access in (Access.PROBE, Access.ADMIN)
)


def access(path: str) -> Access:
    """Return who may ask the address `path`.

    Routes with a variable part all need a key, as addresses do that are no route.
    """
    if path.startswith(_FEEDBACK):
        return Access.FEEDBACK
    if path.startswith(_STATIC):
        return Access.STATIC
    return ROUTES.get(path, Access.PREDICT)
