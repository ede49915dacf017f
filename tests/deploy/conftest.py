"""Fixtures: a tree as it is deployed, and its bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.bundle.build import build
from tests.test_container import clean_tree


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Path:
    """The project as a clone has it, with a tiny artifact of every model. Read it."""
    folder = clean_tree(tmp_path_factory.mktemp("tree"))
    shutil.copytree(models_dir, folder / "models")
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Path:
    """The bundle of that tree. Read it."""
    target = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    build(target, root=tree)
    return target
