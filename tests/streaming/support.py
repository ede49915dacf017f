"""A worker as a process of its own: started, asked, stopped, killed; and events for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from streaming.settings import StreamSettings
from tests.support import ROOT, free_port, wait_for

# what a worker of these tests does more than any other: it dies of one distance, as of a fault in
# a library
POISON = 66.5
_POISONED = f"""
import os, sys
from scoring.predictor import Predictor
each = Predictor.each
def dying(self, items):
    if any(b'{POISON}' in item for item in items if isinstance(item, bytes)):
        os.kill(os.getpid(), 9)
    return each(self, items)
Predictor.each = dying
from streaming.cli import main
sys.exit(main())
"""


class WorkerProcess:
    """`python -m streaming` with some words."""

    def __init__(self, folder: Path, models_dir: Path, *words: str, **settings: str) -> None:
        self.port = free_port()
        self.log = folder / "worker.log"
        self._words = words
        names = {name.upper() for name in StreamSettings.model_fields}
        clean = {name: value for name, value in os.environ.items() if name not in names}
        self._environment = {
            **clean,
            "MODELS_DIR": str(models_dir),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "STREAM_STATE": str(folder / "state"),
            "LOG_FORMAT": "text",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "web-service")]),
            **settings,
        }
        self.process: subprocess.Popen[bytes]

    def start(self, *, poisoned: bool = False) -> None:
        program = ["-c", _POISONED] if poisoned else ["-m", "streaming"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, *self._words],
                env=self._environment, stdout=log, stderr=log, cwd=ROOT,
            )  # fmt: skip

    def ask(self, path: str) -> requests.Response | None:
        """Return an answer of the worker's port; None while there is none."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        return None

    def ready(self) -> None:
        """Wait until events flow."""

        def is_ready() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"the worker ended with {self.process.returncode}: {self.said()}")
            found = self.ask("/health/ready")
            return found is not None and found.ok

        wait_for(is_ready, "the worker to be ready", 180)

    def waiting(self) -> dict[str, str]:
        """Return what the worker says it waits for."""
        found = self.ask("/health/ready")
        return {} if found is None else dict(found.json().get("waiting", {}))

    def count(self, name: str) -> float:
        """Return a metric's value, all its labels added up."""
        found = self.ask("/metrics")
        lines = [] if found is None else found.text.splitlines()
        mine = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in mine)

    def said(self) -> str:
        return self.log.read_text()

    def stop(self, within_s: float = 20) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.terminate()
        return self.process.wait(within_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


@contextlib.contextmanager
def working(
    folder: Path, models_dir: Path, *words: str, **settings: str
) -> Iterator[WorkerProcess]:
    """Run a worker until the block ends; it must end well then, if it still runs."""
    worker = WorkerProcess(folder, models_dir, *words, **settings)
    worker.start()
    try:
        worker.ready()
        yield worker
        if worker.process.poll() is None:
            assert worker.stop() == 0, worker.said()
    finally:
        if worker.process.poll() is None:
            worker.kill()


def ride(number: int) -> bytes:
    """Return a valid ride's event, no two alike."""
    record = {
        "PULocationID": 1 + number % 265,
        "DOLocationID": 1 + number * 7 % 265,
        "trip_distance": number % 97 * 0.25,
    }
    return json.dumps(record).encode()


def until(
    values: Callable[[], list[Any]], count: int, what: str, timeout_s: float = 180
) -> list[Any]:
    """Return the values once there are `count`."""
    wait_for(lambda: len(values()) >= count, f"{count} {what}", timeout_s)
    return values()
