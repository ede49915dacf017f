"""A deployment as the platform does it, on this machine: the bundle's image, a real nginx before it
with the bundle's own settings, requests all the while. Needs a Docker engine and nginx."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.bundle.build import PLATFORM, ROOT
from deploy.bundle.verify import PORT
from deploy.bundle.verify_settings import MAX_BODY_BYTES

STOP_S: Final = 10  # what the platform's `docker stop` grants
_START_S: Final = 60.0
_RECORD: Final = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}
_PROBLEM: Final = "application/problem+json"


class RehearsalFailed(Exception):
    """The deployment would have failed; the message says at which step and how."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    media_type: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Load:
    """Callers that ask for predictions, each request on a connection of its own, until told to
    stop. Every request must be answered with 200."""

    port: int
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Asks, and counts."""
        while not self._over.is_set():
            try:
                answer = ask(self.port, "POST", "/predict", json.dumps(_RECORD).encode())
            except OSError as error:
                self.failed.append(repr(error))
                continue
            if answer.status == http.HTTPStatus.OK:
                self.answered += 1
            else:
                self.failed.append(f"HTTP {answer.status}: {answer.body[:200]!r}")

    @contextlib.contextmanager
    def during(self, callers: int) -> Iterator[None]:
        """Has `callers` of them ask while the block runs."""
        threads = [threading.Thread(target=self.run, daemon=True) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()


def rehearse(
    bundle: Path, folder: Path, image: str = "", tell: Callable[[str], Any] = print
) -> int:
    """Deploys `bundle` twice in `folder`, an empty one, and gives the number of requests that were
    answered on the way. `image`: a built one of this bundle; else it is built. Raises
    RehearsalFailed."""
    for program in ("docker", "nginx"):
        if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
            raise RehearsalFailed(f"{program} is not installed: apt-get install {program}")
    unpacked = folder / "bundle"
    unpack(bundle, unpacked)
    built = image or build_image(unpacked, tell=tell)
    port = _free_port()
    with _container(built) as (first, address):
        _proxy_settings(unpacked, folder, port, address)
        with _nginx(folder):
            _until(lambda: _pings(port), "nginx to pass /ping on")
            _speak(port, tell)
            load = Load(port)
            with load.during(callers=4), _container(built) as (_, second):
                _until(lambda: load.answered > 50, "the load to be steady")
                _upstream(folder, second)
                _reload(folder)
                took = _stop(first)
                before = load.answered
                _until(lambda: load.answered > before + 50, "the new container to answer")
                load._over.set()
            if load.failed:
                raise RehearsalFailed(f"{len(load.failed)} requests were lost: {load.failed[0]}")
            tell(
                f"deployed under load: {load.answered} requests, none lost, stopped in {took:.1f} s"
            )
            away = ask(port, "GET", "/ping")
            _expect("with no container left", away, 503, _PROBLEM)
            if "retry-after" not in away.headers:
                raise RehearsalFailed("nginx's own 503 has no Retry-After")
    return load.answered


def unpack(bundle: Path, folder: Path) -> None:
    """Unzips as the platform does, the files' modes included."""
    with zipfile.ZipFile(bundle) as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, folder))
            if mode := stat.S_IMODE(info.external_attr >> 16):
                path.chmod(mode)


def ask(port: int, method: str, path: str, body: bytes | None = None) -> Answer:
    """Gives the answer of this machine's `port`; raises OSError where there is none."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    ) as connection:
        headers = {"Connection": "close", "Accept": "text/html, */*"}  # as a browser would
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            content = got.read()
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        told = {name.lower(): value for name, value in got.getheaders()}
        media_type = told.get("content-type", "").partition(";")[0]
        return Answer(got.status, media_type, told, content)


def _speak(port: int, tell: Callable[[str], Any]) -> None:
    _expect("GET /", ask(port, "GET", "/"), 200, "text/html")
    if ask(port, "GET", "/ping").body != b"PONG":
        raise RehearsalFailed("GET /ping is not answered with PONG")
    predicted = ask(port, "POST", "/predict", json.dumps(_RECORD).encode())
    _expect("POST /predict", predicted, 200, "application/json")
    if "duration" not in json.loads(predicted.body):
        raise RehearsalFailed(f"POST /predict is answered with {predicted.body[:200]!r}")
    _expect("GET /nothing", ask(port, "GET", "/nothing"), 404, _PROBLEM)
    _expect("GET /metrics from outside", ask(port, "GET", "/metrics"), 404, _PROBLEM)
    largest = json.dumps(_RECORD).encode().ljust(MAX_BODY_BYTES)
    _expect("a body of the largest size", ask(port, "POST", "/predict", largest), 200)
    oversized = ask(port, "POST", "/predict", largest + b" ")
    _expect("a body that is too large", oversized, 413, _PROBLEM)
    if str(MAX_BODY_BYTES) not in json.loads(oversized.body)["detail"]:
        raise RehearsalFailed("nginx's 413 does not name the limit")
    tell("through nginx: /, /ping, /predict, 404, the largest body, 413 as a problem document")


def _expect(what: str, answer: Answer, status: int, media_type: str = "") -> None:
    if answer.status != status or (media_type and answer.media_type != media_type):
        raise RehearsalFailed(
            f"{what}: expected {status} {media_type}, got {answer.status} {answer.media_type}: "
            f"{answer.body[:200]!r}"
        )


def build_image(
    unpacked: Path, tag: str = "prediction-service-rehearsal", tell: Callable[[str], Any] = print
) -> str:
    """Gives the image of an unzipped bundle: built as `tag`, or the one that it names."""
    dockerrun = unpacked / "Dockerrun.aws.json"
    if dockerrun.exists():
        return str(json.loads(dockerrun.read_text(encoding="utf-8"))["Image"]["Name"])
    tell("docker build, from the unzipped bundle ...")
    _docker("build", "-q", "-t", tag, str(unpacked), timeout_s=1800)
    return tag


@contextlib.contextmanager
def _container(image: str) -> Iterator[tuple[str, str]]:
    """Runs a container as the platform does and gives its id and its address, once it answers."""
    container = _docker("run", "-d", image)
    try:
        shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        host = _docker("inspect", "-f", shown, container)

        def there() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((host, PORT), 2) as probe:
                probe.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
                return b" 200 " in probe.recv(100)
            return False

        _until(there, "the container to answer", lambda: _docker("logs", "--tail", "5", container))
        yield container, f"{host}:{PORT}"
    finally:
        _docker("rm", "-f", "-v", container)


def _stop(container: str) -> float:
    began = time.monotonic()
    _docker("stop", "-t", str(STOP_S), container)
    took = time.monotonic() - began
    code = _docker("inspect", "-f", "{{.State.ExitCode}}", container)
    if code != "0":
        raise RehearsalFailed(f"the old container did not end by itself: exit code {code}")
    return took


def _proxy_settings(unpacked: Path, folder: Path, port: int, upstream: str) -> None:
    shutil.copytree(unpacked / ".platform" / "nginx" / "conf.d", folder / "conf.d")
    _upstream(folder, upstream)
    text = (ROOT / PLATFORM / "nginx.conf").read_text(encoding="utf-8")
    # who is root starts workers of another user, who cannot write here
    user = "user root;" if os.geteuid() == 0 else ""
    for name, value in {"folder": str(folder), "port": str(port), "user": user}.items():
        text = text.replace(f"@{name}@", value)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")


def _upstream(folder: Path, address: str) -> None:
    text = f"upstream docker {{\n    server {address};\n    keepalive 256;\n}}\n"
    (folder / "conf.d" / "elasticbeanstalk-nginx-docker-upstream.conf").write_text(text)


def _command(folder: Path, *words: str) -> list[str]:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    # -e: before it has read its settings it would write to a log that only root may write to
    own = ["-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    return [program, *own, *words]


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(_command(folder))
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _reload(folder: Path) -> None:
    done = subprocess.run(
        _command(folder, "-s", "reload"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RehearsalFailed(f"nginx refuses the bundle's settings: {done.stderr.strip()}")


def _pings(port: int) -> bool:
    with contextlib.suppress(OSError):
        return ask(port, "GET", "/ping").status == http.HTTPStatus.OK
    return False


def _until(condition: Callable[[], bool], what: str, more: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + _START_S
    while not condition():
        if time.monotonic() > deadline:
            raise RehearsalFailed(f"waited {_START_S:g} s for {what} {more()}".strip())
        time.sleep(0.05)


def _docker(*words: str, timeout_s: float = 120) -> str:
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        raise RehearsalFailed(f"docker {' '.join(words[:3])}: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
