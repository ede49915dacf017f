"""Fixtures: a tree as it is deployed, and its bundle."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.bundle.build import build
from deploy.bundle.rehearsal import build_image, unpack
from tests.support import clean_tree
from tests.support.containers import alone, docker, need_engine


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


@pytest.fixture(scope="session")
def bundled_image(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image that an instance builds of the unzipped bundle."""
    need_engine()
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    unpacked = tmp_path_factory.mktemp("unpacked")
    unpack(bundle, unpacked)
    tag = f"prediction-service-test:{uuid.uuid4().hex}"
    with alone(shared / "docker-build.lock"):
        build_image(unpacked, tag)
    yield tag
    docker("rmi", "-f", tag)
