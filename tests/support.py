"""What several tests share: a tiny real artifact, a real server, the real data's place."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression

from scoring.artifact import Manifest
from scoring.models import Model
from scoring.settings import Settings
from training import artifact
from training.features import narrow

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

needs_real_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="the real data is not part of the project"
)


def records(model: Model, count: int = 60) -> list[dict[str, Any]]:
    """Gives valid records of any model: the example, with every field moved through its range."""
    fields = model.record.model_json_schema()["properties"]
    made = []
    for number in range(count):
        record = dict(model.example)
        for place, (name, field) in enumerate(fields.items()):
            if "enum" in field:
                record[name] = field["enum"][(number + place) % len(field["enum"])]
            elif field["type"] == "integer":
                span = min(field.get("maximum", 100), 100) - field.get("minimum", 0) + 1
                record[name] = field.get("minimum", 0) + (number * 7 + place) % span
            elif field["type"] == "number":
                record[name] = field.get("minimum", 0) + number * 0.5
        made.append(record)
    return [dict(model.example), *made]


def tiny_pair(model: Model, estimator: Any = None, **vectorizer: Any) -> tuple[Any, Any]:
    """Gives a pair fitted on `records`: a higher number in the last numeric field scores higher."""
    rows = records(model)
    features = [model.features(model.record.model_validate(row)) for row in rows]
    numeric = [[v for v in row.values() if isinstance(v, float | int)] for row in features]
    y = np.array([2.0 + 3.0 * values[-1] for values in numeric])
    made = DictVectorizer(**vectorizer)
    x = narrow(made.fit_transform(features))
    if model.task == "classification":
        y = (y > np.median(y)).astype(int)
        chosen = LogisticRegression(solver="liblinear") if estimator is None else estimator
        return made, chosen.fit(x, y)
    return made, (LinearRegression() if estimator is None else estimator).fit(x, y)


def write_artifact(model: Model, output: Path, estimator: Any = None, **facts: Any) -> Manifest:
    """Writes a tiny artifact of any model to `output/<model>/`."""
    chosen = {"golden": records(model, 4), "threshold": model.threshold, **facts}
    return artifact.write(output, model, tiny_pair(model, estimator), **chosen)


def installed(*names: str) -> str:
    """Gives the path of the first of these programs that there is. Without any, the test is skipped
    on somebody's own machine; continuous integration installs them all, so there it fails."""
    for name in names:
        if found := shutil.which(name):
            return found
    message = f"{names[0]} is not installed: apt-get install {names[0]}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 30) -> Any:
    """Gives the first true value of `condition`; fails the test, naming `what`, after the time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"waited {timeout_s} s for {what}")


@dataclass
class Server:
    """A gunicorn of ours that answers at `url`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def environment(**more: str) -> dict[str, str]:
    """Gives this process's environment without what configures the service, and `more`."""
    names = {name.upper() for name in Settings.model_fields}
    return {k: v for k, v in os.environ.items() if k not in names} | more


@contextlib.contextmanager
def serving(
    models_dir: Path,
    log: Path,
    *,
    folder: Path = ROOT,
    verify: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
    **settings: str,
) -> Iterator[Server]:
    """Runs gunicorn with the configuration in `folder` on a free port until the block ends. Where
    it speaks TLS, `verify` is its authority and `certificate` what it is shown."""
    port = free_port()
    own = {"HOST": "127.0.0.1", "PORT": str(port), "MODELS_DIR": str(models_dir)}
    # an idle connection holds a stop up for the whole grace period
    given = own | {"GRACEFUL_TIMEOUT": "2", "DRAIN_SECONDS": "0"} | settings
    command = [Path(sys.executable).with_name("gunicorn"), "-c", "web-service/gunicorn.conf.py"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**given), stdout=out, stderr=out
        )
    server = Server(process, port, log)
    address = f"http{'s' if verify else ''}://127.0.0.1:{port}/ping"

    def answers() -> bool:
        with contextlib.suppress(requests.RequestException):
            tls: Any = {"verify": verify and str(verify), "cert": certificate}
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


def post(url: str, value: Any, headers: Mapping[str, str] | None = None) -> requests.Response:
    """Posts `value` as JSON and gives the response."""
    return requests.post(url, json=value, headers=headers, timeout=30)
