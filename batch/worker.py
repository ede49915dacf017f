"""Runs the batch that Elastic Beanstalk's worker tier posts for, on PORT (9696).

    python -m batch.worker

In the image it is `batch-worker`. The tier's daemon turns each task of cron.yaml into a POST to the
task's `url`, and posts it again, later, where the answer is not 200; after some times the message
goes to the dead letter queue.

    POST /batch/NAME --> BATCH_JOB_NAME="churn IN --output OUT/{date}/ ..." --> python -m batch ...

`{date}` is the day for which the daemon scheduled the task: a second POST, also one after midnight,
is the same command, which does what the first one left.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from scoring.process.usage import of_docstring

PREFIX: Final = "BATCH_JOB_"
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}Z?")
_PATH: Final = re.compile(r"/batch/([a-z0-9-]{1,64})")
_ROOT: Final = Path(__file__).resolve().parents[1]

_log = logging.getLogger("batch.worker")


def words_of(name: str, scheduled: str, environ: Mapping[str, str]) -> list[str]:
    """Return the command's words of the job `name`, for the moment `scheduled` (ISO 8601, UTC).

    Raises LookupError where there is no such job, ValueError where it wants a day and gets none.
    """
    variable = PREFIX + name.upper().replace("-", "_")
    text = environ.get(variable)
    if not text:
        raise LookupError(f"there is no job '{name}': {variable} is not set")
    day = _DAY.fullmatch(scheduled)
    if "{date}" in text and day is None:
        raise ValueError(f"X-Aws-Sqsd-Scheduled-At is {scheduled[:40]!r}, no time: who posts this?")
    return [word.replace("{date}", day[1] if day else "") for word in shlex.split(text)]


class Worker(ThreadingHTTPServer):
    """Runs a batch for each POST, to its end; knows what runs, so that a stop reaches it."""

    daemon_threads = False  # a stop waits for the answers

    def __init__(self, port: int) -> None:
        super().__init__(("", port), _Handler)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, words: list[str]) -> int:
        """Return the exit status of `python -m batch WORDS`; 1 where the worker stops."""
        paths = os.pathsep.join([str(_ROOT), str(_ROOT / "web-service")])
        with self._lock:
            if self._stopped:
                return 1
            process = subprocess.Popen(  # noqa: S603  # the words are the environment's own
                [sys.executable, "-m", "batch", *words], env={**os.environ, "PYTHONPATH": paths}
            )
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """End at the next safe point; what is done is kept, and the daemon posts again."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()
        self.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Worker

    def do_GET(self) -> None:
        """Answer 200: the process is there."""
        self._answer(200, "batch-worker")

    def do_POST(self) -> None:
        """Run a job; answer 200 where it ended well, so that the daemon deletes the message."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match = _PATH.fullmatch(self.path)
        if match is None:
            self._answer(404, "jobs are at /batch/NAME")
            return
        scheduled = self.headers.get("X-Aws-Sqsd-Scheduled-At") or ""
        try:
            words = words_of(match[1], scheduled, os.environ)
        except (LookupError, ValueError) as error:
            known = isinstance(error, ValueError)
            self._answer(400 if known else 404, str(error.args[0]))
            return
        _log.info("%s, scheduled at %s: batch %s", match[1], scheduled, shlex.join(words))
        status = self.server.run(words)
        self._answer(200 if status == 0 else 500, f"exit status {status}; the log says why")

    def log_message(self, form: str, *values: object) -> None:
        """Write a request to the log."""
        _log.info(form, *values)

    def _answer(self, status: int, text: str) -> None:
        if status >= 400:
            _log.warning("%s is answered %d: %s", self.path[:100], status, text)
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser: it takes no words but `--help`."""
    return argparse.ArgumentParser(prog="python -m batch.worker", **of_docstring(__doc__))


def main() -> int:
    """Serve until a signal; the port is PORT, as the service's."""
    parser().parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    worker = Worker(int(os.environ.get("PORT") or 9696))
    stops = (signal.SIGTERM, signal.SIGINT)
    for number in stops:
        # `shutdown` waits for the loop in which a handler runs
        signal.signal(number, lambda *_: threading.Thread(target=worker.stop).start())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
    with worker:
        worker.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
