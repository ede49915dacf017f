"""Proves a downloaded version in a process of its own, which may crash or hang without harm.

    python -m scoring.registry.prove < {"model": ..., "folder": ..., "origin": ...}

It reads the version through the allow-list, loads and warms it up, lets it answer its golden
records, and prints {"digest": ...} or {"refused": ...}.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from scoring.artifact import MANIFEST
from scoring.errors import StartError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.registry.cache import Origin
from scoring.registry.readers import numbered, read


def prove(model: Model, folder: Path, origin: Origin) -> str:
    """Gives the digest of the version in `folder`: the sha256 of its manifest, which holds that of
    its file. The folder holds just these two then. Raises ArtifactError where it may not serve."""
    artifact = read(folder, model, origin)
    Predictor(model, numbered(artifact, origin.number))
    for path in folder.iterdir():
        if path.name not in (MANIFEST, artifact.manifest.file):
            path.unlink()
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def main() -> None:
    """Proves what the standard input names."""
    asked = json.loads(sys.stdin.read())
    model = discover()[asked["model"]]
    try:
        answer = {"digest": prove(model, Path(asked["folder"]), Origin(**asked["origin"]))}
    except (StartError, ArithmeticError) as error:
        answer = {"refused": " ".join(str(error).split())}
    except OSError as error:
        answer = {"failed": f"it cannot be stored: {error.strerror}"}
    print(json.dumps(answer))  # noqa: T201  # the answer to the process that asked


if __name__ == "__main__":
    main()
