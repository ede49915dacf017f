"""Proves a downloaded version in a process of its own, which may crash or hang without harm.

    python -m scoring.registry.prove < {"model": ..., "folder": ..., "origin": ...}

It reads the version, loads and warms it up, lets it answer its golden records, and prints
{"digest": ...} or {"refused": ...}. A version without a compiled form is read through the
allow-list and gets one here, where it can have one: the workers then read data and import no
scikit-learn.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from scoring.artifact import MANIFEST, Artifact, Compiled, load
from scoring.errors import StartError
from scoring.models import Model, discover
from scoring.predictor import Predictor
from scoring.registry.cache import Origin
from scoring.registry.readers import read


def prove(model: Model, folder: Path, origin: Origin) -> str:
    """Gives the digest of the version in `folder`: the sha256 of its manifest, which holds those of
    its files. The folder holds just these then. Raises ArtifactError where it may not serve."""
    artifact = read(folder, model, origin)
    Predictor(model, artifact.numbered(origin.number))
    if artifact.manifest.compiled is None:
        _compile(artifact, model, folder)
        artifact = load(folder, model)
        Predictor(model, artifact.numbered(origin.number))
    manifest = artifact.manifest
    kept = {MANIFEST, manifest.file, manifest.compiled and manifest.compiled.file}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def _compile(artifact: Artifact, model: Model, folder: Path) -> None:
    """Puts the compiled form of the pair into `folder`, and its digest into the manifest there."""
    from scoring.scorers.compiling import NotCompiled, compiled
    from scoring.scorers.pair import Pair

    assert isinstance(artifact.scorer, Pair)  # noqa: S101  # for the type checker
    golden = [model.record.model_validate(line.record) for line in artifact.manifest.golden]
    try:
        file = compiled(artifact.scorer, [model.features(record) for record in golden])
    except NotCompiled:
        return  # scikit-learn serves it
    (folder / file.name).write_bytes(file.data)
    entry = Compiled(kind=file.kind, file=file.name, sha256=file.sha256)
    manifest = artifact.manifest.model_copy(update={"compiled": entry})
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


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
