"""The headers that every answer carries: who asked, and which version of the model answered."""

from __future__ import annotations

import random
import re
from typing import Final

from flask import Flask, Response, g, request

from scoring.service import Predictors

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}")


def request_id(given: str | None) -> str:
    """Gives the caller's request id if it is well formed (1 to 128 letters, digits and
    `._~:/+=@-`, the first a letter or digit), else a new one."""
    if given and _WELL_FORMED.fullmatch(given):
        return given
    return f"{random.getrandbits(128):032x}"  # it must differ, nobody need fail to guess it


def common(request_id: str, version: str) -> list[tuple[str, str]]:
    """Gives what every answer carries beside what describes its body."""
    return [
        ("X-Request-ID", request_id),
        ("Model-Version", version),
        ("X-Content-Type-Options", "nosniff"),
    ]


def init_app(app: Flask, predictors: Predictors) -> None:
    """Puts the common headers on every answer. The version is that of the model that answered, that
    the route names, or of the default model where it names none."""

    @app.before_request
    def identify() -> None:
        g.request_id = request_id(request.headers.get("X-Request-ID"))

    @app.after_request
    def add(response: Response) -> Response:
        served = {predictor.model.name: predictor for predictor in predictors}
        asked = served.get((request.view_args or {}).get("name"), predictors.default)
        version = g.get("version", asked.version)
        for name, value in common(g.request_id, version):
            response.headers[name] = value
        if request.url_rule:
            about_model = request.view_args is not None and "name" in request.view_args
            model = asked.model.name if about_model else None
            answered_by = version if about_model else None
            told = (request.url_rule.rule, model, answered_by, g.get("key"))
            request.environ["scoring.told"] = told  # for the log and the metrics
        return response
