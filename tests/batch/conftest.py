"""Fixtures: `batch` called in this process, over tiny artifacts, in a folder of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from batch.cli import main
from tests.scoring.registry.conftest import mlflow_url, shop, weather

__all__ = ["mlflow_url", "shop", "weather"]  # a real MLflow server, and what stands before it


@dataclasses.dataclass
class Ended:
    """How a run ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def batch(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:  # fmt: skip
    """Run the command line with the words given; the working folder is empty."""
    monkeypatch.setenv("MODELS_DIR", str(models_dir))
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> Ended:
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:  # argparse's way
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return run
