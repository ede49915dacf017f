"""The page that asks for an API key, in place of every page that needs one.

Its script keeps the key for the tab alone (sessionStorage) and shows the page that was asked for,
so that one question is enough for all of them. No cookie: what another site makes a browser send
brings no key.
"""

from __future__ import annotations

from flask import Response, render_template, request

from scoring.errors import Unauthorised
from serving.http import problems
from serving.pages.assets import POLICY, page
from serving.responses import refusal

# The page that takes its place has plots that are fetched with the key, and Swagger UI's icons.
_POLICY = POLICY.replace("img-src 'self'", "img-src 'self' blob: data:")


def unauthorised(error: Unauthorised) -> Response:
    """Return the question for a key where a browser asks for a page, else the problem document."""
    offered = request.accept_mimetypes.best_match([problems.MEDIA_TYPE, "text/html"])
    if request.method != "GET" or offered != "text/html":
        return refusal(error)
    answer = page(render_template("login.html"), error.status, _POLICY)
    # without Basic, for which the browser itself would ask, and which it would keep
    answer.headers["WWW-Authenticate"] = "Bearer"
    answer.vary.add("Accept")
    return answer
