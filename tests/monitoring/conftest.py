"""Fixtures: `monitoring` called in this process, in a folder of its own, without artifacts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.cli import main
from monitoring.store import Store


@dataclasses.dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def monitoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run the command line with the words given; the store is `monitoring.db` in `tmp_path`."""
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.delenv("MONITORING_STORE", raising=False)
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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store of `monitoring`."""
    return Store(str(tmp_path / "monitoring.db"))
