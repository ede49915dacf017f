"""Validate a downloaded version in a process of its own, which may crash or hang without harm.

    python -m scoring.registry.validate < {"model": ..., "folder": ..., "ref": ...}

It reads the version, loads and warms it up, has it answer its golden records, and prints
{"digest": ...} or {"refused": ...}. A version without a compiled form is read through the
allow-list and gets one here, where it can have one: the workers then read data and import no
scikit-learn.
"""

from __future__ import annotations

import hashlib
import json
import sys
import traceback
from pathlib import Path

from scoring.artifact.manifest import MANIFEST, Manifest
from scoring.artifact.reading import Artifact, check_scorable, load, read_manifest
from scoring.errors import StartError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.registry.cache import VersionRef


def validate_version(model: Model, folder: Path, ref: VersionRef) -> str:
    """Return the digest of the version in `folder`, which then holds the version's files alone.

    It is the sha256 of the manifest, which holds those of the other files. Raises ArtifactError
    where the version may not serve.
    """
    logged_by_us = (folder / MANIFEST).exists()
    logged = read_manifest(folder, model) if logged_by_us else None
    check_scorable(logged, ref.number, model)
    if logged_by_us:
        artifact = load(folder, model)
    else:
        from scoring.registry.logged import read_logged  # imports scikit-learn

        artifact = read_logged(folder, model, version=ref.number, created=ref.day)
    Predictor(model, artifact.numbered(ref.number))
    manifest = artifact.manifest
    if manifest.compiled is None:
        manifest = _compile(artifact, model, folder)
    kept = {MANIFEST, *manifest.files}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def _compile(artifact: Artifact, model: Model, folder: Path) -> Manifest:
    """Put the compiled form of the pair, where it has one, into `folder`, and its digest into the
    manifest there, which is returned."""
    from scoring.artifact.writing import add_compiled
    from scoring.scorers.sklearn import SklearnScorer

    assert isinstance(artifact.scorer, SklearnScorer)  # noqa: S101  # for the type checker
    manifest, files = add_compiled(artifact.scorer, model, artifact.manifest)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if files:
        (folder / MANIFEST).write_bytes(manifest.content())
    return manifest


def main() -> None:
    """Validate what the standard input names."""
    question = json.loads(sys.stdin.read())
    model = discover()[question["model"]]
    folder, ref = Path(question["folder"]), VersionRef(**question["ref"])
    try:
        answer = {"digest": validate_version(model, folder, ref)}
    except (StartError, ArithmeticError) as error:
        answer = {"refused": " ".join(str(error).split())}
    except OSError as error:
        answer = {"failed": f"it cannot be stored: {error.strerror}"}
    except Exception as error:  # noqa: BLE001  # what a foreign file raises
        traceback.print_exc()  # which is logged by the process that asked
        answer = {"refused": f"its validation failed: {type(error).__name__}"}
    print(json.dumps(answer))  # noqa: T201  # the answer to the process that asked


if __name__ == "__main__":
    main()
