"""A pair that others saved, in a file of any shape that `scoring.saved` reads, for the service's
allow-list. In a folder without a manifest it gets one, without golden records.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import sklearn
from sklearn.feature_extraction import DictVectorizer

from scoring.artifact.facts import Facts, Provenance, describe, last_step
from scoring.artifact.manifest import MANIFEST, PICKLE, SKOPS, UNKNOWN, readable_files
from scoring.artifact.pickles import loads
from scoring.artifact.reading import Artifact, load
from scoring.errors import ArtifactError
from scoring.models import Features, Model
from scoring.saved.containers import read_files
from scoring.saved.repickle import pair_bytes
from scoring.saved.shapes import choose
from scoring.scorers.meaning import respelled
from scoring.scorers.sklearn import check_pair

OURS: Final = sklearn.__version__
_STAMP: Final = b"_sklearn_version"  # that scikit-learn leaves in a pickle
NO_MANIFEST: Final = "logged without a manifest: no golden records, no metrics"


class SavedPair(NamedTuple):
    """What a file of others holds, not yet checked for what the model's code makes."""

    pair: object
    data: bytes  # of the file
    as_saved: bool  # whether the file is a pickle of this very pair
    versions: frozenset[str]  # of scikit-learn, other than ours, that wrote it
    respelled: dict[str, str]  # columns whose category is spelt anew, old to new

    def provenance(self) -> Provenance:
        """Return what is known of who fitted it: the scikit-learn whose stamp it bears."""
        ours = sklearn.__version__ if _STAMP in self.data else UNKNOWN
        return Provenance(
            python=UNKNOWN, libraries={"scikit-learn": next(iter(self.versions), ours)}
        )


def read_file(path: Path, model: Model) -> tuple[SavedPair, bytes]:
    """Return the one pair in a file of any shape, with categories in the spelling of the model's
    code, and the file's bytes.

    Raises ArtifactError where the file cannot be read, holds no pair or several, names a class that
    is not allowed, or was written by another minor version of scikit-learn.
    """
    files = read_files([path])
    chosen = choose(files, None, how="log one of them")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    return read_pair(pair_bytes(files, chosen), model), content


def read_pair(data: bytes, model: Model, *, other_version: bool = False) -> SavedPair:
    """Return what the bytes of a pickle of a pair hold, with categories in the spelling of the
    model's code.

    Raises ArtifactError where it cannot be read, names a class that is not allowed, or (unless
    `other_version`) was written by another minor version of scikit-learn.
    """
    pair, versions = loads(data, other_version=other_version)
    changed: dict[str, str] = {}
    if isinstance(pair, tuple) and len(pair) == 2 and hasattr(pair[0], "feature_names_"):
        vectorizer, changed = respelled(pair[0], model)
        if changed:
            return SavedPair((vectorizer, pair[1]), data, False, versions, changed)
    as_saved = isinstance(pair, tuple)
    return SavedPair(tuple(pair) if isinstance(pair, list) else pair, data, as_saved, versions, {})


def known_categories(
    pair: tuple[DictVectorizer, Any], rows: Sequence[Features]
) -> dict[str, tuple[int, int]]:
    """Return, by feature, of how many of `rows` the pair knows the category, and how many have
    one."""
    known, separator = pair[0].vocabulary_, pair[0].separator
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str):
                hits, total = found.get(name, (0, 0))
                found[name] = hits + (f"{name}{separator}{value}" in known), total + 1
    return found


def read(folder: Path, model: Model, *, version: str, created: datetime) -> Artifact:
    """Return the artifact in `folder`, or raise ArtifactError. A folder without a manifest gets one
    with this `version` and day, and the pair beside it, so that from here on all are alike."""
    if not (folder / MANIFEST).exists():
        _write_artifact(folder, model, version, created)
    return load(folder, model)


def pair_path(folder: Path, model: Model) -> Path:
    """Return the file of a folder without a manifest that holds the pair, or raise
    ArtifactError."""
    names = readable_files(model)
    path = next((folder / name for name in names if (folder / name).exists()), None)
    if path is None:
        raise ArtifactError(f"it holds no {MANIFEST}, {SKOPS} or {PICKLE}")
    return path


def _write_artifact(folder: Path, model: Model, version: str, created: datetime) -> None:
    path = pair_path(folder, model)
    saved, content = read_file(path, model)
    pair = check_pair(saved.pair, model)
    pickled = pickle.dumps(pair, protocol=5)
    notes = [NO_MANIFEST, f"read from {path.name}, sha256 {hashlib.sha256(content).hexdigest()}"]
    if saved.respelled:
        notes.append(f"{len(saved.respelled)} categories are respelled")
    facts = Facts(
        threshold=model.threshold,
        provenance=saved.provenance(),
        notes=notes,
    )
    manifest = describe(
        model,
        pair[0].feature_names_,
        last_step(pair[1]),
        pickled,
        facts,
        version=version,
        created=created,
    )
    path.unlink()
    (folder / model.artifact_file).write_bytes(pickled)
    (folder / MANIFEST).write_bytes(manifest.content())
