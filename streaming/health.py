"""The port of the worker: is it alive, is it ready, what has it counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import orjson

_STUCK_S: Final = 120.0  # without a sign of the loop: longer than any batch takes

_log = logging.getLogger(__name__)


class Health:
    """What the worker says of itself; set by its thread, read by that of the port."""

    def __init__(self) -> None:
        self._beat = time.monotonic()
        self._waiting: dict[str, str] = {"source": "it is starting"}
        self.stopping = False

    def beat(self) -> None:
        """Note that the loop is at work."""
        self._beat = time.monotonic()

    def waits(self, what: str, reason: str | None) -> bool:
        """Note why `what` (source, sink, registry) is waited for; None: it is no more. Return
        whether that is another reason than before."""
        if self._waiting.get(what) == reason:
            return False
        waiting = {name: why for name, why in self._waiting.items() if name != what}
        self._waiting = {**waiting, what: reason} if reason else waiting
        return True

    def live(self) -> str | None:
        """Return why the process should be started anew; None: it is well."""
        silent = time.monotonic() - self._beat
        return f"nothing has moved for {silent:.0f} s" if silent > _STUCK_S else None

    def ready(self) -> dict[str, str]:
        """Return what is waited for, and why; empty: events flow."""
        if self.stopping:
            return {"worker": "it is stopping"}
        stuck = self.live()
        return {**self._waiting, **({"worker": stuck} if stuck else {})}


class Port:
    """Serves /ping, /health/live, /health/ready (also /health) and /metrics by threads."""

    def __init__(self, host: str, port: int, health: Health, metrics: Callable[[], bytes]) -> None:
        """Raise OSError where nothing can listen there."""

        class Handler(_Handler):
            pass

        Handler.health = health
        Handler.metrics = staticmethod(metrics)
        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.number = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True,
            name="health",
        )  # fmt: skip
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    metrics: Callable[[], bytes]
    timeout = 10

    def do_GET(self) -> None:
        """Answer one of the four."""
        path = self.path.partition("?")[0]
        if path == "/ping":
            self._answer(200, b"PONG", "text/plain; charset=utf-8")
        elif path == "/metrics":
            self._answer(200, type(self).metrics(), "text/plain; version=0.0.4; charset=utf-8")
        elif path == "/health/live":
            reason = self.health.live()
            self._json({"status": "live"} if not reason else {"status": "stuck", "reason": reason})
        elif path in ("/health", "/health/ready"):
            waiting = self.health.ready()
            self._json(
                {"status": "ready"} if not waiting else {"status": "not ready", "waiting": waiting}
            )
        else:
            there = "there are /ping, /health/live, /health/ready and /metrics"
            self._answer(404, there.encode(), "text/plain; charset=utf-8")

    do_HEAD = do_GET  # noqa: N815  # the base class's name

    def log_message(self, form: str, *values: object) -> None:
        """Write requests to the log at its finest level only."""
        _log.debug(form, *values)

    def _json(self, value: dict[str, Any]) -> None:
        status = 503 if len(value) > 1 else 200  # a reason
        self._answer(status, orjson.dumps(value), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
