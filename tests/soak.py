"""Puts mixed load on a service that is disturbed all the while.

    python -m tests.soak
    python -m tests.soak 60 reload swap

Behind a real nginx, clients send valid records, arrays, invalid and hostile requests; meanwhile
workers are stopped, reloaded and replaced, the registry's champion changes, and whole services are
exchanged as a deployment does it. In the end nothing was lost, the only 5xx are those that are
meant, and what the services counted is what the clients saw.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import re
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from scoring.process.usage import of_docstring
from tests.load import Answer, Fate, Load, Request
from tests.scoring.registry.rides import RIDE
from tests.scoring.registry.scripted import Registry
from tests.support import Server, children, post, serving, wait_for, write_artifact
from tests.support.nginx import Nginx

CLIENTS = 6
WORKERS = 2
EXAMPLE = dict(RIDE.example)
EVENTS = ("a worker stops", "reload", "swap", "swap", "attack", "attack")
# what is asked, by the template that the service counts it under
MIX = [
    *[Request.of("/predict", EXAMPLE)] * 12,
    Request.of("/predict/ride", [EXAMPLE] * 300, name="/predict/<name>"),
    Request.of("/predict/ride?explain=true", EXAMPLE, name="/predict/<name>"),
    Request.of("/predict", {"PULocationId": 1}, 422),
    Request("/predict", b'{"PULocationID": NaN}', expected=400),
    Request("/predict", b"[" * 2000, expected=400),
    Request("/predict", b"{}", {"Content-Type": "text/plain"}, expected=415),
    Request.of("/predict/tips", {}, 404, name="/predict/<name>"),
    Request.of("/invocations", {"instances": [EXAMPLE]}),
    Request("/predict", b"[" + b"1," * 600_000 + b"1]", expected=413),
]
ROUTES = {"_other", *(request.name or request.path for request in MIX)}
RAW = [
    b"nonsense\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/3.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
]

Counts = collections.Counter[tuple[str, int]]  # by route and status


@dataclass(frozen=True)
class Sample:
    """What a service held at one moment: `private_mb` is each worker's own memory, by age."""

    service: int
    seconds: float  # since the soak began
    private_mb: tuple[float, ...]


@dataclass
class Seen:
    """What the clients saw, and what the services say that they answered."""

    answers: Counts = field(default_factory=collections.Counter)
    counted: Counts = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    events: collections.Counter[str] = field(default_factory=collections.Counter)
    memory: list[Sample] = field(default_factory=list)

    def differences(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return what was answered and what was counted, where the two differ."""
        return {
            key: (self.answers[key], self.counted[key])
            for key in self.answers.keys() | self.counted.keys()
            if self.answers[key] != self.counted[key]
        }


def growth(samples: Sequence[Sample]) -> list[str]:
    """Return the services whose workers' own memory does not level off.

    A worker that serves has 10 to 16 MB of its own, whatever happens around it; one that is leaving
    has up to 30, for a moment, beside its successors (measured: fifty seconds of each disturbance).
    So what counts is the median of the largest worker where nobody is leaving: it may not be more
    than a tenth and 1 MB larger in the last third of a service's life than in the one before.
    """
    grown = []
    for number in sorted({sample.service for sample in samples}):
        largest = [max(sample.private_mb) for sample in samples
                   if sample.service == number and len(sample.private_mb) == WORKERS]  # fmt: skip
        third = len(largest) // 3
        if third < 5:  # too short a life to say so
            continue
        before, last = (
            statistics.median(part) for part in (largest[third:-third], largest[-third:])
        )
        if last > 1.1 * before + 1:
            grown.append(f"service {number} grew from {before:.1f} to {last:.1f} MB a worker")
    return grown


def problem_of(answer: Answer) -> str | None:
    """Return what is wrong with an answer: 503 is right for whatever a full service is asked."""
    if answer.status in (answer.request.expected, 503):
        return None
    return f"{answer.request.path}: {answer.status} {answer.body[:200]!r}"


def attack(server: Server, seen: Seen) -> None:
    """Send what is no HTTP to the service itself, and read the one answer."""
    for sent in RAW:
        with (
            socket.create_connection(("127.0.0.1", server.port), 30) as connection,
            connection.makefile("rb") as stream,
        ):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answers = re.findall(rb"^HTTP/1\.1 (\d+) ", stream.read(), re.M)
        if answers:
            seen.answers["_other", int(answers[0])] += 1
        if [a for a in answers if not a.startswith(b"4")] or len(answers) > 1:
            seen.wrong.append(f"{sent[:20]!r}: {answers}")


def counts(server: Server) -> Counts:
    """Return what a service says that it answered, by route and status."""
    text = requests.get(f"{server.url}/metrics", timeout=30).text
    found: Counts = collections.Counter()
    for labels, value in re.findall(r"^http_requests_total\{(.*)\} (\S+)$", text, re.M):
        of = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if of["route"] in ROUTES and float(value):
            found[of["route"], int(of["status"])] += int(float(value))
    return found


def workers(server: Server) -> list[int]:
    """Return the process ids of a service's workers, the oldest first."""
    return sorted(pid for pid in children(server.process.pid) if _is_worker(pid))


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def private_mb(server: Server) -> tuple[float, ...]:
    """Return the memory of each worker that it shares with nobody, the oldest first."""
    sizes = []
    for pid in workers(server):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            sizes.append(sum(map(int, re.findall(r"^Private_\w+:\s+(\d+)", rollup, re.M))) / 1024)
    return tuple(sizes)


@contextlib.contextmanager
def service(registry: Registry, folder: Path, number: int) -> Iterator[Server]:
    """Run a service that follows `registry`."""
    with serving(
        folder / "none", folder / f"log-{number}", MODELS="ride", WORKERS=str(WORKERS), THREADS="2",
        GRACEFUL_TIMEOUT="20", ACCESS_LOG="off", MLFLOW_TRACKING_URI=registry.url,
        REGISTRY_POLL_SECONDS="1", REGISTRY_START_SECONDS="120",
        REGISTRY_CACHE=str(folder / f"cache-{number}"),
    ) as server:  # fmt: skip
        wait_for(lambda: requests.get(f"{server.url}/health/ready", timeout=30).ok, "ready", 60)
        yield server


def disturb(
    server: Server, registry: Registry, seen: Seen, choose: random.Random, events: Sequence[str]
) -> None:
    """Do one of the things that happen to a service."""
    what = choose.choice(events)
    seen.events[what] += 1
    if what == "a worker stops" and (pids := workers(server)):
        os.kill(choose.choice(pids), signal.SIGTERM)
    elif what == "reload":
        server.process.send_signal(signal.SIGHUP)
    elif what == "swap":
        registry.alias = choose.choice([n for n in registry.locations if n != registry.alias])
    elif what == "attack":
        attack(server, seen)


def soak(
    seconds: float, folder: Path, *, each_s: float = 20, events: Sequence[str] = EVENTS
) -> Seen:
    """Return what was seen in so many seconds; a service is exchanged after `each_s` of them."""
    seen, choose = Seen(), random.Random(7)
    registry = Registry()
    for version in "123":
        write_artifact(RIDE, folder / version, notes=[f"version {version}"])
        registry.locations[version] = str(folder / version / "ride")
    registry.alias = "1"
    with contextlib.ExitStack() as stack:
        stack.callback(registry.close)
        running = contextlib.ExitStack()
        stack.callback(lambda: running.close())  # whichever runs then
        server = running.enter_context(service(registry, folder, 0))
        post(f"{server.url}/predict", EXAMPLE)
        seen.answers["/predict", 200] += 1
        nginx = Nginx(folder, server.port)
        stack.callback(nginx.stop)
        load = Load(("127.0.0.1", nginx.port), MIX, clients=CLIENTS, check=problem_of)
        stack.enter_context(load)
        began = time.monotonic()
        number = 0
        while time.monotonic() < began + seconds:
            until = min(began + seconds, time.monotonic() + each_s)
            while time.monotonic() < until:
                disturb(server, registry, seen, choose, events)
                time.sleep(0.5)  # between disturbances; nothing is waited for
                sizes = private_mb(server)
                seen.memory.append(Sample(number, time.monotonic() - began, sizes))
            number += 1
            following = contextlib.ExitStack()
            successor = following.enter_context(service(registry, folder, number))
            nginx.turn_to(successor.port)
            seen.events["exchange"] += 1
            seen.counted += counts(server)
            running.close()
            running, server = following, successor
        load.stop()
        seen.counted += counts(server)
        running.close()
    seen.answers += load.answers
    # nginx closes kept connections as it is reloaded, which a client finds out by asking; had the
    # service been asked, its counters would say so
    failed = load.failed(Fate.REFUSED, Fate.UNACCEPTED, Fate.BROKEN)
    seen.wrong += [*load.wrong, *(f"{f.request.path}: {f.fate.name} {f.error!r}" for f in failed)]
    for log in folder.glob("log-*"):
        _, found, rest = log.read_text().partition("Traceback")
        if found:
            seen.wrong.append(f"{log}: Traceback{rest[:3000]}")
    return seen


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    line = argparse.ArgumentParser(prog="python -m tests.soak", **of_docstring(__doc__))
    line.add_argument(
        "seconds", type=float, nargs="?", default=600.0, metavar="SECONDS",
        help="how long; a service is exchanged four times (default: 600)",
    )  # fmt: skip
    line.add_argument(
        "events", nargs="*", metavar="DISTURBANCE",
        help=f"{', '.join(map(repr, dict.fromkeys(EVENTS)))} (default: all)",
    )  # fmt: skip
    return line


def main() -> None:
    """Soak for as long as the command line says, and print what was seen; exit with status 1 where
    something is wrong."""
    line = parser()
    given = line.parse_args()
    seconds, events = given.seconds, given.events or EVENTS
    if unknown := set(events) - set(EVENTS):
        line.error(f"there is no disturbance {', '.join(map(repr, sorted(unknown)))}")
    with tempfile.TemporaryDirectory() as folder:
        seen = soak(seconds, Path(folder), each_s=seconds / 4, events=events)
    print(f"{seen.answers.total()} answers: {dict(seen.answers)}")
    print(f"disturbed: {dict(seen.events)}")
    for sample in seen.memory:
        print(sample.service, f"{sample.seconds:.1f}", [round(mb, 1) for mb in sample.private_mb])
    print(f"memory: {growth(seen.memory) or 'levels off'}")
    print(f"counted otherwise than seen: {seen.differences() or 'nothing'}")
    print(f"wrong: {seen.wrong[:20] or 'nothing'}")
    sys.exit(bool(seen.differences() or seen.wrong or growth(seen.memory)))


if __name__ == "__main__":
    main()
