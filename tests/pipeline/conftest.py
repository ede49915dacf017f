"""Artifacts that are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.support import artifact, months
from training.evaluation import plots


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that learned from January."""
    folder = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "draw", lambda *_: [])
        return artifact(folder / "models", months(folder, 1))


@pytest.fixture(scope="session")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that learned from January and hardly looked at the distances."""
    folder = tmp_path_factory.mktemp("worse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "draw", lambda *_: [])
        more = {"estimator": "ridge", "parameters": {"alpha": 1e5}, "force": True}
        return artifact(folder / "models", months(folder, 1), **more)
