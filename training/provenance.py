"""With what this project fits a pair: its Python, its libraries, its commit."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

from scoring.artifact.facts import Provenance

_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "xgboost-cpu")
_PROJECT = Path(__file__).resolve().parents[1]


def provenance() -> Provenance:
    """Return what a manifest says of this installation and of this checkout."""
    commit, dirty = _git()
    return Provenance(
        python=platform.python_version(),
        libraries=_versions(),
        git_commit=commit,
        git_dirty=dirty,
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git() -> tuple[str | None, bool | None]:
    """Return the project's commit and whether the tree differs from it; None, None outside git."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(_PROJECT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # our own words

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None
