"""A real gunicorn over our configuration: started, asked, stopped."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.settings import Settings
from tests.support.places import ROOT
from tests.support.processes import wait_for

GUNICORN = (
    str(Path(sys.executable).with_name("gunicorn")), "-c", "web-service/gunicorn.conf.py"
)  # fmt: skip
_ENDPOINTS = range(10_000, 32_000)  # below those that the kernel gives to clients


# Each number that was handed out lately, kept from other processes until its server has it: tests
# in parallel, that drew the same one, would ask each other's servers.
_claimed: collections.deque[socket.socket] = collections.deque(maxlen=200)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses. It is drawn from below the kernel's own range,
    so that no client's connection takes it before the server does."""
    while True:
        port = secrets.choice(_ENDPOINTS)  # the seeded generator would give all workers the same
        claim = socket.socket(type=socket.SOCK_DGRAM)  # UDP's ports are others than TCP's
        try:
            claim.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        if len(_claimed) == _claimed.maxlen:
            _claimed.popleft().close()
        _claimed.append(claim)
        return port


@dataclass
class Server:
    """A gunicorn of ours that answers at `url`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def logged(self) -> list[dict[str, Any]]:
        """Return the objects of the JSON log, of which every whole line is one."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].split("\n")[:-1]]

    def accesses(self) -> list[dict[str, Any]]:
        """Return what the log says of requests."""
        return [line for line in self.logged() if line["event"] == "request"]


@dataclass(frozen=True)
class Launch:
    """How a server is started, where that is not the usual way."""

    folder: Path = ROOT
    verify: Path | None = None  # the authority's certificate, of a server that speaks TLS
    certificate: tuple[Path, Path] | None = None  # certificate and key that such a server asks for


_USUAL = Launch()


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what configures the service, and with `more`."""
    # MLflow's client, used in a test of this process, leaves its own address there
    names = {*(name.upper() for name in Settings.model_fields), "MLFLOW_REGISTRY_URI"}
    return {k: v for k, v in os.environ.items() if k not in names} | more


@contextlib.contextmanager
def serving(
    models_dir: Path, log: Path, launch: Launch = _USUAL, /, **settings: str
) -> Iterator[Server]:
    """Run gunicorn over `models_dir` on a free port until the block ends."""
    port = free_port()
    own = {"HOST": "127.0.0.1", "PORT": str(port), "MODELS_DIR": str(models_dir)}
    # an idle connection holds a stop up for the whole grace period
    variables = own | {"GRACEFUL_TIMEOUT": "2", "DRAIN_SECONDS": "0"} | settings
    with log.open("wb") as out:
        process = subprocess.Popen(
            GUNICORN, cwd=launch.folder, env=environment(**variables), stdout=out, stderr=out
        )
    server = Server(process, port, log)
    address = f"http{'s' if launch.verify else ''}://127.0.0.1:{port}/ping"

    def answers() -> bool:
        with contextlib.suppress(requests.RequestException):
            tls: Any = {"verify": launch.verify and str(launch.verify), "cert": launch.certificate}
            return requests.get(address, timeout=5, **tls).ok
        return process.poll() is not None

    try:
        wait_for(answers, "the server to answer", 90)
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}: {log.read_text()}")
        yield server
    finally:
        process.terminate()
        process.wait(20)


def run_to_end(
    command: Sequence[str] = GUNICORN, /, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a server that is to end by itself within a minute, and return what it said."""
    own = {"HOST": "127.0.0.1", "PORT": str(free_port()), "WORKERS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment(**own | settings), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def stop(server: Server, within_s: float = 10) -> None:
    """Send SIGTERM and make sure that the process ends well in time."""
    server.process.terminate()
    assert server.process.wait(within_s) == 0


def post(url: str, value: Any, headers: Mapping[str, str] | None = None) -> requests.Response:
    """Post `value` as JSON."""
    return requests.post(url, json=value, headers=headers, timeout=30)
