"""What scores a stream of rides: the worker, the tutorials' loop, other frameworks' own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from benchmarks import stream_broker
from benchmarks.stream_broker import BROKER

ROOT: Final = Path(__file__).resolve().parents[1]
MODELS: Final = Path(os.environ.get("MODELS_DIR") or ROOT / "models")
PORT: Final = stream_broker.PORT + 1
_LAST_CORE: Final = max(os.sched_getaffinity(0))
_RIVALS: Final = ROOT / "benchmarks" / "rivals"


@dataclass(frozen=True)
class Way:
    """A program: the words that start it behind Python's own, which have {source} and {sink}."""

    name: str
    command: tuple[str, ...]
    environment: str = ""  # a folder with a Python of its own; none: the one that runs this
    worker: bool = False  # ours, which counts what is final
    v2: bool = False  # takes V2 requests, and only those that come after its start
    batches: bool = False  # many events at once: a short backlog is over before it is measured

    @property
    def python(self) -> Path:
        """The Python that runs it."""
        return ROOT / self.environment / "bin" / "python" if self.environment else _OURS


_OURS: Final = Path(sys.executable)


def worker(guarantee: str) -> Way:
    """Return the worker with a guarantee."""
    address = f"kafka://{BROKER}/"
    command = ("-m", "streaming", "ride", "--source", f"{address}{{source}}", "--sink",
               f"{address}{{sink}}", "--dead-letters", f"{address}{{sink}}-dead",
               "--group", "{sink}", "--guarantee", guarantee, "--batch", "5000")  # fmt: skip
    return Way(f"worker, {guarantee.replace('-', ' ')}", command, worker=True, batches=True)


def _rival(name: str, file: str, *words: str, environment: str = "", **more: bool) -> Way:
    command = (str(_RIVALS / file), BROKER, "{source}", "{sink}", *words)
    return Way(name, command, environment, **more)


WORKERS: Final = (worker("exactly-once"), worker("at-least-once"))
RIVALS: Final = (
    _rival("JSON in and out, no model", "stream_json.py", batches=True),
    _rival("tutorial loop", "stream_loop.py"),
    _rival("FastStream, its default", "stream_faststream.py", "ack_first",
           environment=".venv-stream-faststream"),
    _rival("FastStream, acknowledged after", "stream_faststream.py", "ack",
           environment=".venv-stream-faststream"),
    _rival("MLServer's Kafka", "stream_mlserver.py", str(stream_broker.PORT + 8),
           environment=".venv-stream-mlserver", v2=True),
)  # fmt: skip


@contextlib.contextmanager
def running(
    way: Way, source: str, sink: str, folder: Path, port: int = PORT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a way on the last core until the block ends."""
    words = [word.format(source=source, sink=sink) for word in way.command]
    [pair] = (MODELS / "ride").glob("*.bin")
    paths = [str(ROOT), *([str(ROOT / "web-service")] if way.worker else [])]
    environ = {
        **os.environ, "MODELS_DIR": str(MODELS), "PORT": str(port), "HOST": "127.0.0.1",
        "STREAM_STATE": str(folder / "state"), "LOG_FORMAT": "text", "LOG_LEVEL": "warning",
        "PYTHONPATH": os.pathsep.join(paths), "PAIR": str(pair),
    }  # fmt: skip
    command = ["taskset", "-c", str(_LAST_CORE), str(way.python), *words]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def said(folder: Path) -> str:
    """Return the end of what a way that `running` has run there has said."""
    return (folder / "log").read_text(errors="replace").strip()[-300:]


def metric(name: str, port: int = PORT) -> dict[str, float]:
    """Return a metric of the worker at `port` by its labels."""
    with contextlib.suppress(requests.RequestException):
        lines = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text.splitlines()
        pairs = [line.rpartition(" ") for line in lines if line.startswith(name)]
        return {label.removeprefix(name): float(value) for label, _, value in pairs}
    return {}


def cpu_seconds(process: int) -> float:
    """Return how long a process has been on a CPU, all its threads together; unlike the time of
    day it does not count what others on the machine take."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> float:
    """Return the most memory that a process has had, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
