"""Fixtures: a real MLflow server, artifacts whose answers tell them apart, a service over both."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scoring.artifact.manifest import MANIFEST
from scoring.models import Model
from tests.scoring.registry.mlflow_server import Mlflow, Weather, mlflow_server
from tests.scoring.registry.rides import RIDE, RIDES
from tests.scoring.registry.scripted import Bench, Registry
from tests.support import tiny_pair, write_pair

OUTSIDE = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE",
           "CURL_CA_BUNDLE", "NETRC")  # fmt: skip


@pytest.fixture
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no proxy of this machine, and trust none of its bundles."""
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """An MLflow server on SQLite with proxied artifacts, one for all tests of a process."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@dataclasses.dataclass
class Shop:
    """A registry with an alias of this test's own, and what each version must answer."""

    mlflow: Mlflow
    folder: Path
    alias: str = dataclasses.field(default_factory=lambda: f"a-{uuid.uuid4().hex[:12]}")
    answers: dict[str, list[float]] = dataclasses.field(default_factory=dict)  # to RIDES
    made: int = 0
    run: tuple[str, str] | None = None
    paths: dict[str, str] = dataclasses.field(default_factory=dict)  # in the store, by version

    def artifact(self, model: Model = RIDE, **facts: Any) -> Path:
        """Write a new artifact whose answers are a hundred minutes above the last one's."""
        self.made += 1
        folder = self.folder / str(self.made)
        vectorizer, estimator = tiny_pair(model)
        estimator.intercept_ = estimator.intercept_ * 0 + 100.0 * self.made
        chosen = {"golden": RIDES if model is RIDE else [model.example], "threshold": 0.5, **facts}
        write_pair(folder, model, (vectorizer, estimator), **chosen)
        return folder / model.name

    def register(self, folder: Path | None = None, **tags: str) -> str:
        """Register an artifact as a new version of ride-duration and return its number."""
        folder = folder or self.artifact()
        self.run = self.run or self.mlflow.run()
        number, path = self.mlflow.version(RIDE.registered_name, folder, self.run, **tags)
        if (folder / MANIFEST).exists():
            golden = json.loads((folder / MANIFEST).read_text())["golden"]
            self.answers[number] = [one["answer"]["duration"] for one in golden]
        self.paths[number] = path
        return number

    def promote(self, number: str) -> None:
        self.mlflow.alias(RIDE.registered_name, self.alias, number)

    def settings(self, cache: Path, **more: str) -> dict[str, str]:
        """Return the environment of a service that follows this shop."""
        return {
            "MODELS": "ride",
            "MLFLOW_TRACKING_URI": self.mlflow.url,
            "MODEL_ALIAS": self.alias,
            "REGISTRY_CACHE": str(cache),
            "REGISTRY_POLL_SECONDS": "0.3",
            **more,
        }


@pytest.fixture
def shop(mlflow_url: Mlflow, tmp_path: Path) -> Shop:
    return Shop(mlflow_url, tmp_path / "artifacts")


@pytest.fixture
def weather(mlflow_url: Mlflow) -> Iterator[Callable[[], Weather]]:
    """Make proxies in front of the MLflow server."""
    made: list[Weather] = []

    def make() -> Weather:
        made.append(Weather(mlflow_url.url))
        return made[-1]

    yield make
    for one in made:
        if not one.cleared.is_set():
            one.close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


@pytest.fixture
def bench(registry: Registry, tmp_path: Path) -> Bench:
    return Bench(registry, tmp_path)
