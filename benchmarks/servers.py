"""The servers that are compared, and how one is started, asked, weighed and stopped."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load import Address, BadAnswer

ROOT = Path(__file__).resolve().parents[1]
_BIN = Path(sys.executable).parent
_BARE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_GUNICORN = (str(_BIN / "gunicorn"), "--no-control-socket", "-b", "127.0.0.1:{port}")


@dataclass(frozen=True)
class Server:
    """One that can be started. `{port}` and `{workers}` in its command are filled in."""

    name: str
    command: tuple[str, ...]
    model: str = "ride"
    path: str = "/predict"
    environ: Mapping[str, str] = field(default_factory=dict)
    constant: bool = False  # answers without a look at the request
    tls: bool = False
    key: str = ""  # that it asks for
    wrapped: bool = False  # takes {"instances": [record]} or the like, of a peer


def ours(model: str, models_dir: Path) -> Server:
    """The service as it is, with everything on that is on by default."""
    environ = {"MODELS_DIR": str(models_dir), "MODELS": model, "HOST": "127.0.0.1"}
    command = (str(_BIN / "gunicorn"), "-c", "web-service/gunicorn.conf.py")
    return Server("this service", command, model, environ=environ)


def guarded(models_dir: Path, folder: Path) -> list[Server]:
    """Return the service with what operators turn on: a key, the prediction log, TLS, all three.
    Their files go to `folder`."""
    key = "a key of the benchmark"
    digest = hashlib.sha256(key.encode()).hexdigest()
    (folder / "keys").write_text(f"bench predict sha256:{digest}\n")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made += ["-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    made += ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.pem")]
    subprocess.run(made, check=True, capture_output=True)
    arguments = f"--certfile {folder}/tls.pem --keyfile {folder}/tls.key"
    keys = {"API_KEYS_FILE": str(folder / "keys")}
    log = {"PREDICTION_LOG": str(folder / "predictions.jsonl")}
    tls = {"GUNICORN_CMD_ARGS": arguments}
    kinds: list[tuple[str, dict[str, str], dict[str, Any]]] = [
        ("a key", keys, {"key": key}),
        ("the prediction log", log, {}),
        ("TLS", tls, {"tls": True}),
        ("key, log and TLS", keys | log | tls, {"key": key, "tls": True}),
    ]
    plain = ours("ride", models_dir)
    return [
        replace(plain, name=f"this service, {name}", environ={**plain.environ, **more}, **how)
        for name, more, how in kinds
    ]


def tutorial(model: str, pair: Path, worker: str = "gthread") -> Server:
    """Flask, DictVectorizer and predict, behind one of gunicorn's WSGI workers."""
    command: tuple[str, ...] = (
        *_GUNICORN,
        "-w",
        "{workers}",
        "-k",
        worker,
        "benchmarks.rivals.tutorial:app",
    )
    command += ("--threads", "4") if worker == "gthread" else ()
    return Server(f"tutorial code, gunicorn {worker}", command, model, environ=_of(model, pair))


def fastapi(model: str, pair: Path) -> Server:
    """FastAPI, pydantic and uvicorn, without a log."""
    command: tuple[str, ...] = (str(_BIN / "uvicorn"), "--no-access-log", "--log-level", "warning")
    command += ("--port", "{port}", "--workers", "{workers}", "benchmarks.rivals.fastapi_app:app")
    return Server("FastAPI, pydantic, uvicorn", command, model, environ=_of(model, pair))


def floors() -> list[Server]:
    """What answers a constant."""
    threads = ("-k", "gthread", "--threads", "4")
    fast = ("-k", "asgi", "--http-parser", "fast", "--asgi-loop", "uvloop")
    kinds = {
        "constant, Flask route, gunicorn gthread": ("flask_constant", threads),
        "constant, bare WSGI, gunicorn gthread": ("wsgi_constant", threads),
        "constant, bare ASGI, gunicorn asgi": ("asgi_constant", fast),
    }
    return [
        Server(name, (*_GUNICORN, *how, f"benchmarks.rivals.floors:{app}"), constant=True)
        for name, (app, how) in kinds.items()
    ]


def _of(model: str, pair: Path) -> dict[str, str]:
    return {"MODEL": model, "PAIR": str(pair), **_BARE}


@dataclass
class Running:
    """A server that has given its first right answer."""

    server: Server
    at: Address
    process: subprocess.Popen[bytes]
    started_s: float  # from the exec to the first right answer

    def memory_mb(self) -> float:
        """Return the proportional set size of all its processes, in MB."""
        of = psutil.Process(self.process.pid)
        return sum(_pss(p.pid) for p in (of, *of.children(recursive=True))) / 1e6


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def ask(at: Address, path: str, body: bytes) -> Any:
    """Post one request and return the JSON of its answer; raise BadAnswer for another than 200."""
    line = at.connect(30)
    try:
        line.request("POST", path, body, at.headers())
        answer = line.getresponse()
        text = answer.read()
    finally:
        line.close()
    if answer.status != 200:
        raise BadAnswer(f"status {answer.status}: {text[:200]!r}")
    return json.loads(text)


def agrees(answer: Any, expected: float) -> bool:
    """Whether one of the numbers in an answer, whatever is around them, is what scikit-learn
    gives."""
    if isinstance(answer, list | dict):
        parts = answer.values() if isinstance(answer, dict) else answer
        return any(agrees(part, expected) for part in parts)
    number = isinstance(answer, float | int) and not isinstance(answer, bool)
    return number and math.isclose(answer, expected, rel_tol=1e-6, abs_tol=1e-9)


@contextlib.contextmanager
def running(
    server: Server, body: bytes, expected: float, *, cpus: set[int], log: Path, workers: int = 1
) -> Iterator[Running]:
    """Start `server` on `cpus`; it is stopped when the block ends. Raises BadAnswer where it ends,
    or gives no right answer within a minute."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    at = Address(port, server.tls, server.key)
    words = [word.format(port=port, workers=workers) for word in server.command]
    if shutil.which("taskset"):
        words = ["taskset", "-c", ",".join(map(str, sorted(cpus))), *words]
    settings = {"PORT": str(port), "WORKERS": str(workers), "PYTHONPATH": str(ROOT)}
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "MODELS"))}
    begun = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=ROOT, env=environ | settings | dict(server.environ), stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, BadAnswer):
                if server.constant or agrees(ask(at, server.path, body), expected):
                    ask(at, server.path, body)
                    break
            if process.poll() is not None or time.perf_counter() - begun > 60:
                last = log.read_text(errors="replace")[-500:]
                raise BadAnswer(f"{server.name} gave no right answer: {last}")
            time.sleep(0.002)
        yield Running(server, at, process, time.perf_counter() - begun)
        if not server.constant and not agrees(ask(at, server.path, body), expected):
            raise BadAnswer(f"{server.name} answers otherwise after the load")
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and whatever it has started: some leave their workers behind."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with contextlib.suppress(ProcessLookupError):  # nobody of its session is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for child in family:  # one that has left the session
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
