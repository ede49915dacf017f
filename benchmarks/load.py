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
import ssl
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


@dataclass(frozen=True)
class Address:
    """Where a server of this machine answers, and with what it is asked."""

    port: int
    tls: bool = False
    key: str = ""  # of an Authorization header

    def headers(self) -> dict[str, str]:
        """Return the headers of each request."""
        plain = {"Content-Type": "application/json"}
        return plain | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return a new connection; a certificate of this machine's own is not looked at."""
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=timeout_s, context=context
        )


def generator() -> str:
    """Return the name of what will make the load."""
    return "wrk" if shutil.which("wrk") else "threads"


def run(
    at: Address, path: str, body: bytes, *, connections: int, seconds: float, cpus: set[int]
) -> Load:
    """Post `body` as fast as `connections` keep-alive connections get answers."""
    if generator() == "wrk":
        return _wrk(at, path, body, connections, seconds, cpus)
    words = [sys.executable, "-m", "benchmarks.load", json.dumps(vars(at)), path]
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
    at: Address, path: str, body: bytes, connections: int, seconds: float, cpus: set[int]
) -> Load:
    quoted = "".join(f"\\{byte:03d}" for byte in body)  # as Lua writes a byte
    script = f'wrk.method = "POST"\nwrk.body = "{quoted}"\n'
    script += "".join(f'wrk.headers["{k}"] = "{v}"\n' for k, v in at.headers().items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        whole = max(1, round(seconds))
        # of its own accord wrk counts an answer after two seconds, of a slow server's, as an error
        words = ["wrk", "--latency", "--timeout", "30s", "-t1", f"-c{connections}", f"-d{whole}s"]
        words += ["-s", file.name]
        said = _on(cpus, [*words, f"http{'s' if at.tls else ''}://127.0.0.1:{at.port}{path}"])
    return parsed(said)


def parsed(said: str) -> Load:
    """Read what wrk prints; raise BadAnswer where it counted an error."""
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


def threads(at: Address, path: str, body: bytes, connections: int, seconds: float) -> Load:
    """The same with threads of this process; every answer must be the first one."""
    times: list[float] = []
    faults: list[str] = []
    with contextlib.closing(at.connect(10)) as line:
        first = _ask(line, at, path, body)
    end = time.perf_counter() + seconds

    def work() -> None:
        line = at.connect(10)
        try:
            while (begun := time.perf_counter()) < end:
                if _ask(line, at, path, body) != first:
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


def _ask(line: http.client.HTTPConnection, at: Address, path: str, body: bytes) -> bytes:
    line.request("POST", path, body, at.headers())
    answer = line.getresponse()
    read = answer.read()
    if answer.status != 200:
        raise BadAnswer(f"status {answer.status}")
    return read


if __name__ == "__main__":
    address, path, connections, seconds = sys.argv[1:]
    given = sys.stdin.buffer.read()
    try:
        found = threads(
            Address(**json.loads(address)), path, given, int(connections), float(seconds)
        )
    except BadAnswer as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(vars(found)))
    sys.stdout.flush()
    os._exit(0)  # a connection that hangs must not hold this up
