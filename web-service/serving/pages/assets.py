"""Files that pages need, under an address that changes with their content.

Browsers keep them for good and never show an old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, request, send_file, url_for

_FOREVER_S: Final = 365 * 24 * 3600
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# What a page of ours may do: load its own style, script and pictures, ask its own server.
# Nothing inline, nothing from elsewhere, and nobody may put it into a frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Assets:
    """Some files and nothing else, served below `/<prefix>/<digest of them all>/`."""

    def __init__(self, routes: Blueprint, prefix: str, files: Iterable[Path]) -> None:
        """Add the files' route to `routes`; each file name occurs once."""
        self._files = {path.name: path for path in files}
        self._digest = hashlib.sha256(
            b"".join(path.read_bytes() for path in self._files.values())
        ).hexdigest()[:12]
        self._endpoint = f"{routes.name}.asset"
        routes.add_url_rule(f"/{prefix}/<digest>/<file>", "asset", self._serve)

    def url(self, file: str) -> str:
        """Return the address of one of the files, for a page."""
        return url_for(self._endpoint, digest=self._digest, file=file)

    def _serve(self, digest: str, file: str) -> Response:
        path = self._files.get(file)
        if path is None:
            abort(404)
        response = send_file(path, mimetype=_MEDIA_TYPES[path.suffix])
        if digest == self._digest:
            response.headers["Cache-Control"] = f"public, max-age={_FOREVER_S}, immutable"
        else:  # another release's page, during a deployment
            response.headers["Cache-Control"] = "no-cache"
        return response


def page(html: str, status: int = 200, policy: str = POLICY) -> Response:
    """Return a page of HTML with the headers that keep it to itself."""
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-cache"
    return response


def revalidated(body: bytes, mimetype: str) -> Response:
    """Return a document that a browser keeps and asks about each time: 304 while it is the same."""
    response = Response(body, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response
