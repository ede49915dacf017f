"""Make reports again and again, and serve the last ones: pages, JSON and metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import orjson

from monitoring import exposition
from monitoring.errors import MonitoringError
from monitoring.page import page
from monitoring.report import Report
from scoring.errors import StartError

_LATE: Final = 3  # turns without a report, after which we are not well

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Content:
    """What an address answers."""

    kind: str
    body: bytes


class Board:
    """The last reports, as they are served; set by one thread, read by others."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._pages: dict[str, Content] = {}
        self._last = time.monotonic()
        self._turns = self._failed = 0

    def show(self, reports: list[Report]) -> None:
        """Show these from now on."""
        pages = {"/metrics": Content("text/plain; version=0.0.4; charset=utf-8",
                                     exposition.text(reports))}  # fmt: skip
        for one in reports:
            pages[f"/{one.model}"] = Content("text/html; charset=utf-8", page(one).encode())
            pages[f"/{one.model}.json"] = Content("application/json", json_of(one))
        self._turns += 1
        self._last = time.monotonic()
        self._pages = pages

    def failed(self) -> None:
        """Note a turn that made no reports."""
        self._turns += 1
        self._failed += 1

    def answer(self, path: str) -> tuple[int, Content]:
        """Return the status and content of an address."""
        if path == "/health":
            late = time.monotonic() - self._last > _LATE * self._every_s + 60
            words = b'{"status": "no report is made"}' if late else b'{"status": "ready"}'
            return (503 if late else 200), Content("application/json", words)
        found = self._pages.get(path)
        if path == "/metrics":
            own = (
                "# HELP monitoring_turns_total Times that reports were to be made\n"
                "# TYPE monitoring_turns_total counter\n"
                f"monitoring_turns_total {self._turns}\n"
                "# HELP monitoring_failed_turns_total Times that it failed\n"
                "# TYPE monitoring_failed_turns_total counter\n"
                f"monitoring_failed_turns_total {self._failed}\n"
            ).encode()
            kind = "text/plain; version=0.0.4; charset=utf-8"
            return 200, Content(kind, (found.body if found else b"") + own)
        if found is None:
            there = ", ".join(["/health", "/metrics", *sorted(set(self._pages) - {"/metrics"})])
            return 404, Content("text/plain; charset=utf-8", f"there are {there}".encode())
        return 200, found


def json_of(report: Report) -> bytes:
    """Return all figures of a report."""
    return orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2) + b"\n"


def forever(
    turn: Callable[[], list[Report]], board: Board, every_s: float, stop: threading.Event
) -> None:
    """Let `turn` make reports until `stop` is set; one that fails is logged, and tried again."""
    while not stop.is_set():
        begun = time.monotonic()
        try:
            board.show(turn())
        except (MonitoringError, StartError, OSError) as error:
            board.failed()
            _log.error("monitoring: %s; it is tried again", " ".join(str(error).split()))
        stop.wait(max(0.0, every_s - (time.monotonic() - begun)))


def listen(host: str, port: int, board: Board) -> ThreadingHTTPServer:
    """Return a server of the board, which runs in a thread. Raises OSError where nothing can listen
    there."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, content = board.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", content.kind)
            self.send_header("Content-Length", str(len(content.body)))
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content.body)

        do_HEAD = do_GET  # noqa: N815  # the base class's name

        def log_message(self, form: str, *values: object) -> None:
            _log.debug(form, *values)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="page"
    )
    thread.start()
    return server
