"""Containers of a Docker engine: started, asked, removed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.settings import Settings
from tests.support.processes import wait_for
from tests.support.programs import skip_or_fail

PORT = Settings().port


def docker(*words: str, timeout_s: float = 60) -> str:
    """Return what `docker WORDS` prints; fail the test with its complaint where it fails."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout_s)
    if done.returncode:
        pytest.fail(f"docker {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A container of ours, running or ended."""

    id: str

    def url(self) -> str:
        """Return where the service is to be found; raise LookupError once the container ended."""
        ports = json.loads(docker("inspect", "-f", "{{json .NetworkSettings.Ports}}", self.id))
        return f"http://127.0.0.1:{ports[f'{PORT}/tcp'][0]['HostPort']}"

    def state(self) -> dict[str, Any]:
        """Return the engine's own account: Running, ExitCode, Health."""
        found: dict[str, Any] = json.loads(docker("inspect", "-f", "{{json .State}}", self.id))
        return found

    def logs(self) -> str:
        """Return what the container wrote, both streams."""
        words = ["docker", "logs", self.id]
        both = subprocess.run(
            words, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
        )
        return both.stdout.decode()

    def python(self, code: str) -> Any:
        """Return the value that `code`, run in the container, prints as JSON."""
        return json.loads(docker("exec", self.id, "python", "-c", code))

    def served(self) -> dict[str, str]:
        """Return the digest of each model that is served, in order."""
        models = requests.get(f"{self.url()}/models", timeout=30).json()["models"]
        return {model["name"]: model["digest"] for model in models}


@contextlib.contextmanager
def started(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """Run `image` with `options`, a free port of this machine published, until the block ends."""
    words = ("run", "-d", "-p", f"127.0.0.1::{PORT}", *options, image, *command)
    container = Container(docker(*words))
    try:
        yield container
    finally:
        docker("rm", "-f", "-v", container.id)


@contextlib.contextmanager
def answering(image: str, *options: str) -> Iterator[Container]:
    """Run `image` as `started` does, and wait until it answers."""

    def there() -> bool:
        if not container.state()["Running"]:
            pytest.fail(f"the container ended: {container.logs()}")
        with contextlib.suppress(requests.RequestException, LookupError):
            return requests.get(f"{container.url()}/ping", timeout=5).text == "PONG"
        return False

    with started(image, *options) as container:
        wait_for(there, "the container to answer", timeout_s=60)
        yield container


def need_engine() -> None:
    """Skip the tests where no Docker engine answers; fail them in continuous integration."""
    try:
        words = ["docker", "version", "--format", "{{.Server.Version}}"]
        subprocess.run(words, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        skip_or_fail(f"no Docker engine answers: {error}")


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one process at a time into the block."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # closing the file gives it back
        yield
