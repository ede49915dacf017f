"""The headers that every answer carries: who asked, and which version of the model answered."""

from __future__ import annotations

import re
import uuid
from typing import Final

from flask import Flask, Response, g, request

from scoring.service import Predictors

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}")


def request_id(given: str | None) -> str:
    """Gives the caller's request id if it is well formed (1 to 128 letters, digits and
    `._~:/+=@-`, the first a letter or digit), else a new one."""
    return given if given and _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def init_app(app: Flask, predictors: Predictors) -> None:
    """Puts X-Request-ID and Model-Version on every answer. The version is that of the model that
    the route names, of the default model where it names none."""

    @app.before_request
    def identify() -> None:
        g.request_id = request_id(request.headers.get("X-Request-ID"))

    @app.after_request
    def add(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        name = (request.view_args or {}).get("name")
        served = {predictor.model.name: predictor for predictor in predictors}
        predictor = served.get(name, predictors.default)
        response.headers.setdefault("Model-Version", predictor.version)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
