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
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.bundle.archive import Bundle
from deploy.bundle.build import PLATFORM, PORT, ROOT
from deploy.bundle.callers import Answer, Load, ask
from deploy.bundle.verify_service import STOP_S, given
from deploy.bundle.verify_settings import MAX_BODY_BYTES
from serving.settings import Settings

_START_S: Final = 60.0
_PROBLEM: Final = "application/problem+json"


class RehearsalFailed(Exception):
    """The deployment would have failed; the message says at which step and how."""


def rehearse(
    bundle: Path, folder: Path, image: str = "", tell: Callable[[str], Any] = print
) -> int:
    """Deploy `bundle` twice in `folder`, an empty one; return the number of answered requests.

    The containers start with the bundle's settings. `image` is a built one of this bundle; without
    it, it is built. Raises RehearsalFailed.
    """
    for program in ("docker", "nginx"):
        if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
            raise RehearsalFailed(f"{program} is not installed: apt-get install {program}")
    unpacked = folder / "bundle"
    unpack(bundle, unpacked)
    built = image or build_image(unpacked, tell=tell)
    port = _free_port()
    environ = given(Bundle(bundle))
    if environ.pop("MLFLOW_TRACKING_URI", ""):
        for name in Settings.details_of["MLFLOW_TRACKING_URI"]:
            environ.pop(name, None)
        tell("the registry is not asked from here: the image's models serve")
    with _container(built, environ) as (first, address):
        _proxy_settings(unpacked, folder, port, address)
        with _nginx(folder):
            _until(lambda: _pings(port), "nginx to pass /ping on")
            load = Load(port, _speak(port, environ, tell))
            with load.during(callers=4), _container(built, environ) as (_, second):
                _until(lambda: load.answered > 50, "the load to be steady")
                _upstream(folder, second)
                _reload(folder)
                took = _stop(first)
                before = load.answered
                _until(
                    lambda: bool(load.failed) or load.answered > before + 50,
                    "the new container to answer",
                )
                load.stop()
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
    """Unzip as the platform does, the files' modes included."""
    with zipfile.ZipFile(bundle) as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, folder))
            if mode := stat.S_IMODE(info.external_attr >> 16):
                path.chmod(mode)


def _speak(port: int, environ: Mapping[str, str], tell: Callable[[str], Any]) -> bytes:
    """Ask for everything once through nginx; return a record that is answered, as JSON."""
    page = "text/plain" if environ.get("PAGES") == "off" else "text/html"
    _expect("GET /", ask(port, "GET", "/"), 200, page)
    if ask(port, "GET", "/ping").body != b"PONG":
        raise RehearsalFailed("GET /ping is not answered with PONG")
    catalogue = ask(port, "GET", "/models")
    _expect("GET /models", catalogue, 200, "application/json")
    served = json.loads(catalogue.body)
    [example] = [m["example"] for m in served["models"] if m["name"] == served["default"]]
    record = json.dumps(example).encode()
    predicted = ask(port, "POST", "/predict", record)
    _expect("POST /predict", predicted, 200, "application/json")
    _expect("GET /nothing", ask(port, "GET", "/nothing"), 404, _PROBLEM)
    _expect("GET /metrics from outside", ask(port, "GET", "/metrics"), 404, _PROBLEM)
    largest = record.ljust(MAX_BODY_BYTES)
    _expect("a body of the largest size", ask(port, "POST", "/predict", largest), 200)
    oversized = ask(port, "POST", "/predict", largest + b" ")
    _expect("a body that is too large", oversized, 413, _PROBLEM)
    if str(MAX_BODY_BYTES) not in json.loads(oversized.body)["detail"]:
        raise RehearsalFailed("nginx's 413 does not name the limit")
    tell("through nginx: /, /ping, /predict, 404, the largest body, 413 as a problem document")
    return record


def _expect(what: str, answer: Answer, status: int, media_type: str = "") -> None:
    if answer.status != status or (media_type and answer.media_type != media_type):
        raise RehearsalFailed(
            f"{what}: answered with {answer.status} {answer.media_type} instead of {status} "
            f"{media_type}: {answer.body[:200]!r}"
        )


def build_image(
    unpacked: Path, tag: str = "prediction-service-rehearsal", tell: Callable[[str], Any] = print
) -> str:
    """Return the image of an unzipped bundle: built as `tag`, or the one that it names."""
    dockerrun = unpacked / "Dockerrun.aws.json"
    if dockerrun.exists():
        return str(json.loads(dockerrun.read_text(encoding="utf-8"))["Image"]["Name"])
    tell("docker build, from the unzipped bundle ...")
    _docker("build", "-q", "-t", tag, str(unpacked), timeout_s=1800)
    return tag


@contextlib.contextmanager
def _container(image: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Run a container as the platform does; yield its id and its address once it answers."""
    variables = [word for pair in environ.items() for word in ("-e", "=".join(pair))]
    container = _docker("run", "-d", *variables, image)
    try:
        shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        host = _docker("inspect", "-f", shown, container)

        def there() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((host, PORT), 2) as probe:
                probe.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
                return b" 200 " in probe.recv(100)
            return False

        def running() -> bool:
            return _docker("inspect", "-f", "{{.State.Running}}", container) == "true"

        def last_lines() -> str:
            return _docker("logs", "--tail", "5", container, stderr=subprocess.STDOUT)

        _until(lambda: there() or not running(), "the container to answer", last_lines)
        if not running():
            raise RehearsalFailed(f"the container does not start: {last_lines()}")
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


def _docker(*words: str, timeout_s: float = 120, stderr: int = subprocess.PIPE) -> str:
    command = ["docker", *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1000:]
        raise RehearsalFailed(f"docker {' '.join(words[:3])}: {said}")
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
