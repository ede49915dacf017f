"""Fixtures of the training tests."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import sklearn

from training.evaluation import plots


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the slowest part of a short training, where a test is not about it."""
    monkeypatch.setattr(plots, "draw", lambda *_: [])


@pytest.fixture
def pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that writes a file as a tutorial's script would have."""

    def write(pair: object, protocol: int = 4, version: str = sklearn.__version__) -> Path:
        path = tmp_path / "lin_reg.bin"
        with monkeypatch.context() as patch, path.open("wb") as file:
            patch.setattr("sklearn.base.__version__", version)
            pickle.dump(pair, file, protocol)
        return path

    return write
