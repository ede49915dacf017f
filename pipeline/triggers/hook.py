"""Signed webhooks: ours, monitoring's and MLflow's, which sign alike.

    POST /MODEL  X-...-Delivery-Id, X-...-Timestamp, X-...-Signature: v1,base64(HMAC-SHA256)

The signature is over `<delivery id>.<unix time>.<body>`. What is older than some minutes is
refused, and what comes twice counts once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from pipeline.errors import PipelineError
from pipeline.shared.store import Store

KIND: Final = "webhook"
SECRET: Final = "PIPELINE_TRIGGER_SECRET"  # noqa: S105  # the variable's name
SHORTEST: Final = 16
_SENDERS: Final = ("pipeline", "monitoring", "mlflow")
_OLD_S: Final = 300
_MOST_BYTES: Final = 64 * 1024
_MOST_WORDS: Final = 300

_log = logging.getLogger(__name__)


def signature(secret: str, delivery: str, sent: str, body: bytes) -> str:
    """Return HMAC-SHA256 over `<delivery id>.<unix time>.<body>`, as monitoring signs."""
    digest = hmac.new(secret.encode(), f"{delivery}.{sent}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest.digest()).decode()}"


def taken(
    store: Store, models: Collection[str], secret: str, path: str, headers: Mapping[str, str],
    body: bytes,
) -> tuple[int, str]:  # fmt: skip
    """Return the status and the words with which a delivery is answered, an event added where it is
    one that we trust; the headers' names are in lower case. Raises PipelineError where the database
    is away."""
    sender = next((s for s in _SENDERS if headers.get(f"x-{s}-signature")), None)
    if sender is None:
        return 401, "no signature"
    delivery, sent, given = (
        headers.get(f"x-{sender}-{name}", "") for name in ("delivery-id", "timestamp", "signature")
    )
    if not hmac.compare_digest(given.encode(), signature(secret, delivery, sent, body).encode()):
        return 401, "the signature is not ours"
    if not sent.isdecimal() or abs(time.time() - int(sent)) > _OLD_S:
        return 401, f"the delivery is not of the last {_OLD_S} seconds"
    model = path.strip("/")
    if model not in models:
        return 404, f"no model '{model}' is watched; there are {', '.join(models)}"
    what = _words(sender, body)
    key = hashlib.sha256(delivery.encode()).hexdigest()
    if not store.add_event(model, KIND, f"{KIND}:{key}", what):
        return 200, "this delivery has been taken before"
    return 202, "taken"


def _words(sender: str, body: bytes) -> str:
    """Return what a delivery says, for people: its own reason, else its state or event."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        found = {}
    said = next((found[key] for key in ("why", "state", "event") if found.get(key)), "no reason")
    findings = found.get("findings")
    if isinstance(findings, list) and findings and isinstance(findings[0], dict):
        said = f"{said}: {findings[0].get('sentence')}"
    text = "".join(c if c.isprintable() else " " for c in str(said))[:_MOST_WORDS]
    return f"webhook of {sender}: {text}"


def listen(
    host: str, port: int, take: Callable[[str, Mapping[str, str], bytes], tuple[int, str]]
) -> ThreadingHTTPServer:
    """Return a server that hands each POST to `take`, in threads. Raises OSError where nothing can
    listen there."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            text = self.headers.get("Content-Length", "")
            if not text.isdecimal() or int(text) > _MOST_BYTES:
                self._answer(413, f"a body of at most {_MOST_BYTES} bytes is taken")
                return
            body = self.rfile.read(int(text))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, words = take(self.path.partition("?")[0], headers, body)
            except PipelineError as error:
                _log.error("a webhook was not taken: %s", error)
                status, words = 503, "the database is away: send it again"
            self._answer(status, words)

        def _answer(self, status: int, words: str) -> None:
            body = json.dumps({"detail": words}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, form: str, *values: object) -> None:
            _log.debug(form, *values)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="webhooks"
    )
    thread.start()
    return server
