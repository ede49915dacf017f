"""Fixtures of the tests of the download: a publisher at a port of its own, an empty folder."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.training.data.publisher import (
    Child,
    Publisher,
    parquet,
)


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The month as first published and as published again."""
    folder = tmp_path_factory.mktemp("published")
    return parquet(folder / "one", seed=1), parquet(folder / "two", seed=2)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where people need a proxy, it does not come between the tests and their server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def publisher(bodies: tuple[bytes, bytes]) -> Iterator[Publisher]:
    """A server that has the month, at a port of its own."""
    with Publisher(bodies[0]) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.released.set()
        server.shutdown()
    assert not server.errors


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "data" / "green"


@pytest.fixture
def start(publisher: Publisher, cache: Path, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Start processes that fetch the month; none of them outlives the test."""
    children: list[Child] = []

    def start_one(setup: str = "") -> Child:
        output = tmp_path / f"output-{len(children)}"
        children.append(Child(cache, publisher.base, output, setup))
        return children[-1]

    yield start_one
    for child in children:
        child.process.kill()
        child.process.wait()
