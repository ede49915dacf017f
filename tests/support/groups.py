"""An environment with some groups of the Pipfile alone: links to what is installed here."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path

from tests.support.places import ROOT

# what `make run` installs; "fast" needs a C compiler, and nothing needs it
OF_RUN = ("default", "sklearn", "fit")


def packages_of(*groups: str) -> set[str]:
    """Return the names of the locked packages of `groups`, with all that they need in turn."""
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
    return {name for group in groups for name, entry in lock[group].items() if "path" not in entry}


def alone(folder: Path, *groups: str) -> tuple[list[str], dict[str, str]]:
    """Return the words and variables that run a Python with the packages of `groups` alone, which
    `folder` gets links to; a package for other systems is left out."""
    for name in packages_of(*groups):
        try:
            files = importlib.metadata.distribution(name).files or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(Path(str(files[0].locate())).parents[len(files[0].parts) - 1] / top)
    paths = [str(folder), str(ROOT / "web-service"), str(ROOT)]
    given = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    return [sys.executable, "-S"], given  # -S: without this environment's own packages
