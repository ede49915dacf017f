"""A scripted registry, and one poller in this process over artifacts in a folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scoring.errors import StartError
from scoring.models import Model
from scoring.registry.cache import ModelCache, RegistryCache, Status, VersionRef
from scoring.registry.download import Validate
from scoring.registry.errors import VersionRejected
from scoring.registry.poller import RegistryPoller
from scoring.registry.validate import validate_version
from serving.settings import Settings
from tests.scoring.registry.rides import RIDE
from tests.support import write_artifact


class Registry:
    """Answers as MLflow does for the versions in `locations`; `alias` names the one to serve."""

    def __init__(self) -> None:
        self.locations: dict[str, str] = {}  # by number
        self.alias: str | None = None
        self.tags: dict[str, str] = {}
        self.history: dict[str, Any] = {}  # the registered model's tags
        self.files: object = []
        self.asked: list[str] = []
        self.instead: Callable[[BaseHTTPRequestHandler], None] | None = None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(urlsplit(self.path).path.rpartition("/")[2])
                if registry.instead:
                    registry.instead(self)
                else:
                    registry.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path)
        query = {k: v[0] for k, v in parse_qs(path.query).items()}
        what = path.path.rpartition("/")[2]
        number = query.get("version", self.alias)
        if what == "artifacts":
            send(handler, 200, {"files": self.files})
        elif path.path.endswith("/registered-models/get"):
            told = [{"key": key, "value": value} for key, value in self.history.items()]
            send(handler, 200, {"registered_model": {"name": query["name"], "tags": told}})
        elif number not in self.locations:
            send(handler, 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such"})
        elif what == "get-download-uri":
            send(handler, 200, {"artifact_uri": self.locations[number]})
        else:
            tags = [{"key": key, "value": value} for key, value in self.tags.items()]
            version = {"version": number, "creation_timestamp": 1, "tags": tags}
            send(handler, 200, {"model_version": version})


def send(handler: BaseHTTPRequestHandler, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def validate_here(model: Model, folder: Path, ref: VersionRef) -> str:
    """Validate as the poller's own process for it would."""
    try:
        return validate_version(model, folder, ref)
    except StartError as error:
        raise VersionRejected(str(error)) from error


class Bench:
    """A poller and the cache that it fills; versions are validated in this process."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        *,
        validate: Validate | None = None,
        question_s: float = 15,
        **more: Any,
    ) -> None:
        self.registry, self.folder = registry, folder
        self.settings = Settings(
            mlflow_tracking_uri=registry.url,
            registry_cache=folder / "cache",
            registry_keep=2,
            models=("ride",),
            **more,
        )
        self.cache = RegistryCache(self.settings)
        self.cache.prepare(["ride"])
        self.poller = RegistryPoller(
            self.settings,
            {"ride": RIDE},
            validate=validate or validate_here,
            question_s=question_s,
        )
        self.model_cache: ModelCache = self.cache.for_model("ride")

    def add(self, number: str, **facts: Any) -> Path:
        folder = self.folder / f"version-{number}"
        write_artifact(RIDE, folder, notes=[f"version {number}"], **facts)
        self.registry.locations[number] = str(folder / "ride")
        return folder / "ride"

    def follow(self, number: str | None, *, now: bool = False) -> Status:
        self.registry.alias = number
        self.poller.round(now=now)
        return self.model_cache.status()

    def serving(self) -> str | None:
        current = self.model_cache.current()
        return current.ref.number if current else None
