"""A folder with a tiny artifact, to be damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scoring.models import Model


@pytest.fixture
def folder(models_dir: Path, model: Model, tmp_path: Path) -> Path:
    """A copy of the model's good folder, to be spoilt."""
    return shutil.copytree(models_dir / model.name, tmp_path / model.name)
