"""A version that others logged, without a manifest: loaded through the allow-list, or read as data,
where another minor version of scikit-learn saved it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from scoring.artifact.facts import Facts, Provenance, describe
from scoring.artifact.foreign import NO_MANIFEST, OURS, pair_path, read
from scoring.artifact.manifest import MANIFEST, NOT_PROVED, UNKNOWN, Compiled
from scoring.artifact.reading import Artifact, load
from scoring.compiler.as_data import read_pair_as_data
from scoring.compiler.compile import NotCompiled
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.saved.containers import Saved, read_files
from scoring.saved.repickle import pair_bytes
from scoring.saved.shapes import Candidate, choose
from scoring.saved.views import check_readable, minor, saved_parameters, stamps


def read_logged(folder: Path, model: Model, *, version: str, created: datetime) -> Artifact:
    """Return the artifact in a folder without a manifest, which gets one with this `version` and
    day. Raises ArtifactError where the pair may not serve."""
    path = pair_path(folder, model)
    files = read_files([path])
    chosen = choose(files, None, how="log one of them")
    versions = stamps((chosen.vectorizer, chosen.estimator))
    if all(minor(one) == minor(OURS) for one in versions):
        return read(folder, model, version=version, created=created)
    _write(folder, path, model, (files, chosen, versions), version, created)
    return load(folder, model)


def _write(
    folder: Path,
    path: Path,
    model: Model,
    found: tuple[list[Saved], Candidate, Collection[str]],
    version: str,
    created: datetime,
) -> None:
    """Write a manifest and a compiled form of a pair that this scikit-learn would not load."""
    files, chosen, versions = found
    named = ", ".join(sorted(versions))
    check_readable({*versions}, OURS)
    try:
        data = read_pair_as_data(chosen, model, None)
    except NotCompiled as error:
        raise ArtifactError(
            f"the pair was written by scikit-learn {named} and this is {OURS}: it can be read as "
            f"data only, and {error}"
        ) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    notes = [
        NO_MANIFEST,
        NOT_PROVED,
        f"saved by scikit-learn {named}, read as data",
        f"read from {path.name}, sha256 {digest}",
    ]
    if data.respelled:
        notes.append(f"{len(data.respelled)} categories are respelled")
    facts = Facts(
        threshold=model.threshold,
        provenance=Provenance(python=UNKNOWN, libraries={"scikit-learn": max(versions, key=minor)}),
        parameters=saved_parameters(chosen.estimator),
        notes=notes,
    )
    pickled = pair_bytes(files, chosen)
    manifest = describe(
        model, data.vectorizer.feature_names_, data.kind, pickled, facts,
        version=version, created=created,
    )  # fmt: skip
    entry = Compiled(kind=data.made.kind, file=data.made.name, sha256=data.made.sha256)
    manifest = manifest.model_copy(update={"compiled": entry})
    path.unlink()
    (folder / data.made.name).write_bytes(data.made.data)
    (folder / model.artifact_file).write_bytes(pickled)
    (folder / MANIFEST).write_bytes(manifest.content())
