"""What a manifest says of the installation and of the checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from training import provenance as module
from training.provenance import provenance


def test_a_library_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """XGBoost, where only linear models are trained."""
    monkeypatch.setattr(module, "_LIBRARIES", ("numpy", "no-such-library"))
    assert list(provenance().libraries) == ["numpy"]


@pytest.mark.slow
def test_the_manifest_names_the_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And whether the code differed from it; files that git does not know do not matter."""

    def git(*words: str) -> str:
        name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(project), *name, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.setattr(module, "_PROJECT", project)
    git("init")
    (project / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    (project / "notes.txt").write_text("unknown to git")
    clean = provenance()
    assert (clean.git_commit, clean.git_dirty) == (git("rev-parse", "HEAD"), False)
    (project / "code.py").write_text("2")
    assert provenance().git_dirty is True


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that is no clone, or a machine without git."""
    # the tests' folder may itself lie within a clone
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(module, "_PROJECT", tmp_path)
    alone = provenance()
    assert (alone.git_commit, alone.git_dirty) == (None, None)
    monkeypatch.setenv("PATH", "")
    alone = provenance()
    assert (alone.git_commit, alone.git_dirty) == (None, None)
