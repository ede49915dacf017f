"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from training import plots


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the slowest part of a short training, where a test is not about it."""
    monkeypatch.setattr(plots, "draw", lambda *_: [])


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps boosting on one thread: several, on a machine busy with other tests, mostly wait for
    each other. Processes that the test starts keep to it, too."""
    pytest.importorskip("xgboost")  # brings threads of its own, which are limited once it is there
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with threadpool_limits(1):
        yield
