"""Writers of an artifact's folder, some of which are killed or out of disk."""

from __future__ import annotations

import sys
from pathlib import Path

from scoring.artifact.manifest import MANIFEST
from scoring.models import discover
from tests.support import ROOT, environment

RIDE = discover()["ride"]
FOLDER = "ride"
FILES = [RIDE.artifact_file, MANIFEST, "scorer.json"]


def python(script: str, *words: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, words)]


def ours() -> dict[str, str]:
    return environment(PYTHONPATH=str(ROOT))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
