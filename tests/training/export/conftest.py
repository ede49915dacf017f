"""One PostgreSQL for all tests of exports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.export import databases
from training.export.judges import NotJudged


@pytest.fixture(scope="session")
def postgres() -> Iterator[tuple[Path, list[str]] | None]:
    """A server that the tests of this process share; None where it is not installed."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(databases.postgres_server())
        except NotJudged:
            server = None
        yield server


@pytest.fixture
def shared_postgres(
    postgres: tuple[Path, list[str]] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the judge use it: an export starts one of its own."""
    if postgres is not None:
        monkeypatch.setattr(databases, "postgres_server", lambda: contextlib.nullcontext(postgres))
