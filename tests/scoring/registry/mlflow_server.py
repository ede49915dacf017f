"""A real MLflow server for the tests, spoken to by REST, and bad weather in front of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support import free_port, wait_for

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


@dataclasses.dataclass
class Mlflow:
    """A running MLflow server."""

    url: str
    auth: tuple[str, str] | None = None

    def call(self, verb: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer of one REST call."""
        url = f"{self.url}/api/2.0/mlflow/{path}"
        answer = requests.request(verb, url, json=body, auth=self.auth, timeout=60)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def put(self, path: str, data: bytes) -> None:
        """Put one file into the server's artifact store, over what is there."""
        url = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{path}"
        assert requests.put(url, data=data, auth=self.auth, timeout=60).ok

    def run(self) -> tuple[str, str]:
        """Make a run; return its id and the path of its files in the artifact store."""
        info = self.call("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]
        return info["run_id"], info["artifact_uri"].removeprefix("mlflow-artifacts:/")

    def version(
        self, name: str, folder: Path, run: tuple[str, str], **tags: str
    ) -> tuple[str, str]:
        """Upload a folder's files into a run, register them as a new version, and return its
        number and the files' path in the artifact store."""
        run_id, root = run
        path = f"{root}/{uuid.uuid4().hex}"
        for file in folder.iterdir():
            self.put(f"{path}/{file.name}", file.read_bytes())
        with contextlib.suppress(AssertionError):  # it is there
            self.call("POST", "registered-models/create", {"name": name})
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        source = f"mlflow-artifacts:/{path}"
        body = {"name": name, "source": source, "run_id": run_id, "tags": pairs}
        made = self.call("POST", "model-versions/create", body)["model_version"]
        return str(made["version"]), path

    def alias(self, name: str, alias: str, number: str) -> None:
        """Move an alias."""
        self.call(
            "POST",
            "registered-models/alias",
            {"name": name, "alias": alias, "version": number},
        )


@contextlib.contextmanager
def mlflow_server(
    folder: Path, *words: str, auth: tuple[str, str] | None = None, **environ: str
) -> Iterator[Mlflow]:
    """Run `mlflow server` in `folder` on a free port until the block ends."""
    port = free_port()
    store = [] if "--backend-store-uri" in words else ["--backend-store-uri", "sqlite:///m.db"]
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--artifacts-destination", "./artifacts"]
    log = folder / "mlflow.log"
    without = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "COV"))}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*map(str, command), *store, *words], cwd=folder, stdout=out, stderr=out,
            env={**without, **QUIET, **environ}, start_new_session=True,
        )  # fmt: skip
    server = Mlflow(f"http://127.0.0.1:{port}", auth)
    try:
        wait_for(lambda: process.poll() is not None or _healthy(server), "MLflow", timeout_s=120)
        if process.poll() is not None:
            pytest.fail(f"mlflow ended with {process.returncode}: {log.read_text()[-3000:]}")
        yield server
    finally:
        # it waits for idle connections and its helpers; nothing here needs a graceful end
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _healthy(server: Mlflow) -> bool:
    try:
        return requests.get(f"{server.url}/health", timeout=5).ok
    except requests.RequestException:
        return False


class Weather:
    """A server in front of another one. `change` may answer a request in its own way: it gets the
    handler and the real answer's body, and says True where it has answered."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.change: Callable[[BaseHTTPRequestHandler, bytes], bool] = lambda *_: False
        self.asked: list[str] = []
        self.cleared = threading.Event()  # ends what hangs
        weather = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                weather.asked.append(self.path)
                headers = {"Authorization": self.headers.get("Authorization", "")}
                there = requests.get(weather.target + self.path, headers=headers, timeout=60)
                if weather.change(self, there.content):
                    self.close_connection = True
                    return
                answer(self, there.content, there.status_code, there.headers["Content-Type"])

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """End it; from then on connections are refused."""
        self.cleared.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json"
) -> bool:
    """Send a whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return True


def is_file(path: str) -> bool:
    """Whether a request is for an artifact's content."""
    return "/mlflow-artifacts/artifacts/" in urlsplit(path).path
