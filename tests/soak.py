"""Mixed load on a service that is disturbed all the while: `python -m tests.soak 600`.

Behind a real nginx, clients send right records, arrays, invalid and hostile requests; meanwhile
workers are stopped, reloaded and replaced, the registry's champion changes, and whole services are
exchanged as a deployment does it. At the end nothing was lost, the only 5xx are those that are
meant, memory is where it was, and what the services counted is what the clients saw.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.registry.rides import RIDE
from tests.registry.scripted import Registry
from tests.support import Server, free_port, post, serving, wait_for, write_artifact

CLIENTS = 6
EXAMPLE = dict(RIDE.example)
JSON = {"Content-Type": "application/json"}
# path, headers, body: what is asked by whom, with its right status
MIX = [
    *[("/predict", JSON, json.dumps(EXAMPLE), 200)] * 12,
    ("/predict/ride", JSON, json.dumps([EXAMPLE] * 300), 200),
    ("/predict/ride?explain=true", JSON, json.dumps(EXAMPLE), 200),
    ("/predict", JSON, '{"PULocationId": 1}', 422),
    ("/predict", JSON, '{"PULocationID": NaN}', 400),
    ("/predict", JSON, "[" * 2000, 400),
    ("/predict", {"Content-Type": "text/plain"}, "{}", 415),
    ("/predict/tips", JSON, "{}", 404),
    ("/invocations", JSON, json.dumps({"instances": [EXAMPLE]}), 200),
    ("/predict", JSON, "[" + "1," * 600_000 + "1]", 413),
]
# by the template that the service counts under
ROUTES = {
    "/predict": "/predict",
    "/predict/ride": "/predict/<name>",
    "/predict/tips": "/predict/<name>",
    "/invocations": "/invocations",
}
RAW = [
    b"nonsense\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/3.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
]


@dataclass
class Seen:
    """What the clients saw, and what the services say that they answered."""

    answers: collections.Counter[tuple[str, int]] = field(default_factory=collections.Counter)
    counted: collections.Counter[tuple[str, int]] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    events: collections.Counter[str] = field(default_factory=collections.Counter)
    memory_mb: list[float] = field(default_factory=list)  # of a service, over time


def nginx_command() -> str | None:
    """Gives the path of nginx, None where there is none."""
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


class Nginx:
    """A real nginx before one service at a time."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self.upstream, self._folder = free_port(), port, folder
        self._write()
        command = [nginx_command() or "nginx", "-p", str(folder), "-c", str(folder / "conf")]
        self._process = subprocess.Popen([*command, "-g", "daemon off;"])
        wait_for(lambda: _connects(self.port), "nginx")

    def turn_to(self, port: int) -> None:
        """Sends what comes from now on to `port`; returns once nothing goes elsewhere."""
        before = self._workers()
        self.upstream = port
        self._write()
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & self._workers(), "nginx's old workers to end", 60)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _workers(self) -> set[str]:
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return set(path.read_text().split())

    def _write(self) -> None:
        folder = self._folder
        (folder / "conf").write_text(f"""
            pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
            events {{ worker_connections 256; }}
            http {{
              access_log off; client_max_body_size 8m; client_body_buffer_size 4m;
              client_body_temp_path {folder}/body;
              proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
              uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
              upstream service {{ server 127.0.0.1:{self.upstream}; keepalive 8; }}
              server {{
                listen 127.0.0.1:{self.port};
                location / {{
                  proxy_pass http://service; proxy_http_version 1.1;
                  proxy_set_header Connection ""; proxy_next_upstream off;
                }}
              }}
            }}
        """)


def _connects(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def ask(port: int, seen: Seen, stop: threading.Event, seed: int) -> None:
    """One client: asks until it is told to stop, on a connection that it keeps."""
    choose = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    fresh = True
    while not stop.is_set():
        path, headers, body, expected = choose.choice(MIX)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            # nginx closes kept connections as it is reloaded, which a client finds out by asking;
            # had the service been asked, its counters would say so
            if fresh:
                seen.wrong.append(f"{path}: {error!r}")
            connection.close()
            fresh = True
            continue
        fresh = False
        seen.answers[ROUTES[path.partition("?")[0]], response.status] += 1
        if response.status not in (expected, 503):
            seen.wrong.append(f"{path}: {response.status} {text[:200]!r}")
    connection.close()


def attack(server: Server, seen: Seen) -> None:
    """Sends what is no HTTP to the service itself, and reads the one answer."""
    for sent in RAW:
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answers = re.findall(rb"^HTTP/1\.1 (\d+) ", connection.makefile("rb").read(), re.M)
        if answers:
            seen.answers["_other", int(answers[0])] += 1
        if [a for a in answers if not a.startswith(b"4")] or len(answers) > 1:
            seen.wrong.append(f"{sent[:20]!r}: {answers}")


def counts(server: Server) -> collections.Counter[tuple[str, int]]:
    """Gives what a service says that it answered, by route and status."""
    text = requests.get(f"{server.url}/metrics", timeout=30).text
    found: collections.Counter[tuple[str, int]] = collections.Counter()
    for labels, value in re.findall(r"^http_requests_total\{(.*)\} (\S+)$", text, re.M):
        of = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if of["route"] in {*ROUTES.values(), "_other"} and float(value):
            found[of["route"], int(of["status"])] += int(float(value))
    return found


def workers(server: Server) -> list[int]:
    """Gives the process ids of a service's workers."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if _is_worker(child)]


def _is_worker(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def memory_mb(server: Server) -> float:
    """Gives the proportional set size of a service's master and workers."""
    total = 0
    for pid in (server.process.pid, *workers(server)):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])  # type: ignore[index]
    return total / 1024


@contextlib.contextmanager
def service(registry: Registry, folder: Path, number: int) -> Iterator[Server]:
    """Runs a service that follows `registry`."""
    with serving(
        folder / "none", folder / f"log-{number}", MODELS="ride", WORKERS="2", THREADS="2",
        GRACEFUL_TIMEOUT="20", ACCESS_LOG="off", MLFLOW_TRACKING_URI=registry.url,
        REGISTRY_POLL_SECONDS="1", REGISTRY_START_SECONDS="120",
        REGISTRY_CACHE=str(folder / f"cache-{number}"),
    ) as server:  # fmt: skip
        wait_for(lambda: requests.get(f"{server.url}/health/ready", timeout=30).ok, "ready", 60)
        yield server


def disturb(server: Server, registry: Registry, seen: Seen, choose: random.Random) -> None:
    """Does one of the things that happen to a service."""
    what = choose.choice(["a worker stops", "reload", "swap", "swap", "attack", "attack"])
    seen.events[what] += 1
    if what == "a worker stops" and (pids := workers(server)):
        os.kill(choose.choice(pids), signal.SIGTERM)
    elif what == "reload":
        server.process.send_signal(signal.SIGHUP)
    elif what == "swap":
        registry.alias = choose.choice([n for n in registry.places if n != registry.alias])
    else:
        attack(server, seen)


def soak(seconds: float, folder: Path, *, each_s: float = 20) -> Seen:
    """Gives what was seen in so many seconds; a service is exchanged after `each_s` of them."""
    seen, choose, stop = Seen(), random.Random(7), threading.Event()
    registry = Registry()
    for number in "123":
        write_artifact(RIDE, folder / number, notes=[f"version {number}"])
        registry.places[number] = str(folder / number / "ride")
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
        threads = [
            threading.Thread(target=ask, args=(nginx.port, seen, stop, seed))
            for seed in range(CLIENTS)
        ]
        stack.callback(stop.set)
        for thread in threads:
            thread.start()
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            begun = time.monotonic()
            while time.monotonic() < min(end, begun + each_s):
                disturb(server, registry, seen, choose)
                time.sleep(0.5)  # between disturbances; nothing is waited for
                seen.memory_mb.append(memory_mb(server))
            number += 1
            following = contextlib.ExitStack()
            successor = following.enter_context(service(registry, folder, number))
            nginx.turn_to(successor.port)
            seen.events["exchange"] += 1
            seen.counted += counts(server)
            running.close()
            running, server = following, successor
        stop.set()
        for thread in threads:
            thread.join(60)
        seen.counted += counts(server)
        running.close()
    for log in folder.glob("log-*"):
        if "Traceback" in log.read_text():
            seen.wrong.append(f"a traceback in {log}")
    return seen


def differences(seen: Seen) -> dict[tuple[str, int], tuple[int, int]]:
    """Gives what was answered by route and status and what was counted, where the two differ."""
    return {
        key: (seen.answers[key], seen.counted[key])
        for key in seen.answers.keys() | seen.counted.keys()
        if seen.answers[key] != seen.counted[key]
    }


def main() -> None:
    """Soaks for as many seconds as the first argument says, and prints what was seen."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    with tempfile.TemporaryDirectory() as folder:
        seen = soak(seconds, Path(folder))
    print(f"{sum(seen.answers.values())} answers: {dict(seen.answers)}")
    print(f"disturbed: {dict(seen.events)}")
    print(f"memory: {min(seen.memory_mb):.0f} to {max(seen.memory_mb):.0f} MB")
    differ = differences(seen)
    print(f"counted otherwise than seen: {differ or 'nothing'}")
    print(f"wrong: {seen.wrong[:20] or 'nothing'}")
    sys.exit(bool(differ or seen.wrong))


if __name__ == "__main__":
    main()
