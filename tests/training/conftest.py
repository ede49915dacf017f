"""Fixtures of the training tests."""

from __future__ import annotations

import pytest

from training.evaluation import plots


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the slowest part of a short training, where a test is not about it."""
    monkeypatch.setattr(plots, "draw", lambda *_: [])
