"""GET /docs: Swagger UI over our own OpenAPI document.

Its files come from the package flask-swagger-ui, whose own blueprint is not used: its page has
inline scripts and no policy.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, render_template

from serving.pages import STATIC, TEMPLATES
from serving.pages.assets import POLICY, Assets, page

# Swagger UI's style sheet holds its icons as data: addresses.
_POLICY: Final = POLICY.replace("img-src 'self'", "img-src 'self' data:")


def blueprint() -> Blueprint:
    """Return the route of the interactive page and of what it needs."""
    routes = Blueprint("docs", __name__, template_folder=str(TEMPLATES))
    swagger = Path(str(resources.files("flask_swagger_ui"))) / "dist"
    assets = Assets(
        routes,
        "docs/assets",
        [
            swagger / "swagger-ui.css",
            swagger / "swagger-ui-bundle.js",
            STATIC / "head.css",
            STATIC / "key.js",
            STATIC / "docs.css",
            STATIC / "docs.js",
            STATIC / "icon.svg",
        ],
    )

    @routes.get("/docs")
    def docs() -> Response:
        return page(render_template("docs.html", asset=assets.url), policy=_POLICY)

    return routes
