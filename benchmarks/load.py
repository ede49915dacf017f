"""Load on 127.0.0.1 for a few seconds: with wrk where it is installed, else with threads of ours.

Either way an answer that is no 200, or a broken connection, makes the measurement a failure; our
own generator also compares every body, wrk's runs are between two requests that are compared.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


class BadAnswer(Exception):
    """What was measured did not answer as it should: no figure comes of it."""


@dataclass(frozen=True)
class Load:
    """What one run gave: requests/s, and latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


def generator() -> str:
    """Gives the name of what will make the load."""
    return "wrk" if shutil.which("wrk") else "threads"


def run(
    port: int, path: str, body: bytes, *, connections: int, seconds: float, cpus: set[int]
) -> Load:
    """Posts `body` as fast as `connections` keep-alive connections get answers."""
    if generator() == "wrk":
        return _wrk(port, path, body, connections, seconds, cpus)
    words = [sys.executable, "-m", "benchmarks.load", str(port), path]
    words += [str(connections), str(seconds)]
    return Load(**json.loads(_on(cpus, words, body)))


def _on(cpus: set[int], words: list[str], given: bytes | None = None) -> str:
    if shutil.which("taskset"):
        words = ["taskset", "-c", ",".join(map(str, sorted(cpus))), *words]
    root = Path(__file__).resolve().parents[1]
    found = subprocess.run(words, input=given, capture_output=True, check=False, cwd=root)
    if found.returncode:
        raise BadAnswer(found.stderr.decode().strip() or found.stdout.decode().strip())
    return found.stdout.decode()


def _wrk(
    port: int, path: str, body: bytes, connections: int, seconds: float, cpus: set[int]
) -> Load:
    quoted = "".join(f"\\{byte:03d}" for byte in body)  # as Lua writes a byte
    script = (
        f'wrk.method = "POST"\nwrk.body = "{quoted}"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        whole = max(1, round(seconds))
        words = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{whole}s", "-s", file.name]
        said = _on(cpus, [*words, f"http://127.0.0.1:{port}{path}"])
    return parsed(said)


def parsed(said: str) -> Load:
    """Reads what wrk prints; raises BadAnswer where it counted an error."""
    if bad := re.search(
        r"Non-2xx.*|Socket errors: (?!connect 0, read 0, write 0, timeout 0).*", said
    ):
        raise BadAnswer(bad.group())
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    shares = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+[mu]?s?)", said, flags=re.M))
    if not found or len(shares) != 2 or not float(found.group(1)):
        raise BadAnswer(f"no answer to any request: {said}")
    return Load(float(found.group(1)), _ms(shares["50"]), _ms(shares["99"]))


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


def threads(port: int, path: str, body: bytes, connections: int, seconds: float) -> Load:
    """The same with threads of this process; every answer must be the first one."""
    times: list[float] = []
    faults: list[str] = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as line:
        first = _ask(line, path, body)
    end = time.perf_counter() + seconds

    def work() -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            while (begun := time.perf_counter()) < end:
                if _ask(line, path, body) != first:
                    raise BadAnswer("two answers to one request differ")
                times.append(time.perf_counter() - begun)
        except (OSError, http.client.HTTPException, BadAnswer) as error:
            faults.append(f"{type(error).__name__}: {error}")
        finally:
            line.close()

    begun = time.perf_counter()
    workers = [threading.Thread(target=work) for _ in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - begun
    if faults or not times:
        raise BadAnswer(faults[0] if faults else "no answer to any request")
    times.sort()
    place = [times[int(share * (len(times) - 1))] * 1e3 for share in (0.5, 0.99)]
    return Load(len(times) / took, *place)


def _ask(line: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    line.request("POST", path, body, {"Content-Type": "application/json"})
    answer = line.getresponse()
    read = answer.read()
    if answer.status != 200:
        raise BadAnswer(f"status {answer.status}")
    return read


if __name__ == "__main__":
    port, path, connections, seconds = sys.argv[1:]
    given = sys.stdin.buffer.read()
    try:
        found = threads(int(port), path, given, int(connections), float(seconds))
    except BadAnswer as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(vars(found)))
    sys.stdout.flush()
    os._exit(0)  # a connection that hangs must not hold this up
