"""From a version's files to an artifact that may serve: our own, or what others logged.

manifest.json + its file     as `scoring.artifact` reads it: digest, then allow-list
model.skops, model.pkl       a Pipeline that begins with a DictVectorizer, or a bare pair;
                             the manifest is made here, without golden records
"""

from __future__ import annotations

import hashlib
import pickle
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sklearn
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import Pipeline

from scoring.artifact import MANIFEST, Artifact, Manifest, load
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.registry.cache import Origin
from scoring.scorers.pair import check_pair
from scoring.unpickle import loads
from scoring.unskops import loads_skops

SKOPS: Final = "model.skops"
PICKLE: Final = "model.pkl"
NO_MANIFEST: Final = "logged without a manifest: no golden records, no metrics"


def candidates(model: Model) -> tuple[str, ...]:
    """Gives the files that can be read where there is no manifest, the best first."""
    return (SKOPS, PICKLE, model.artifact_file)


def read(folder: Path, model: Model, origin: Origin) -> Artifact:
    """Gives the artifact in a downloaded `folder`, or raises ArtifactError. A folder without a
    manifest gets one, and the pair beside it, so that from here on all versions are alike."""
    if not (folder / MANIFEST).exists():
        _write_artifact(folder, model, origin)
    return load(folder, model)


def as_pair(found: object) -> object:
    """Gives (vectorizer, estimator) of a Pipeline that begins with a DictVectorizer or of a list;
    anything else as it is."""
    if isinstance(found, Pipeline) and len(found.steps) > 1:
        (_, first), *rest = found.steps
        if isinstance(first, DictVectorizer):
            return first, rest[0][1] if len(rest) == 1 else Pipeline(rest)
    return tuple(found) if isinstance(found, list) else found


def _write_artifact(folder: Path, model: Model, origin: Origin) -> None:
    path = next((folder / name for name in candidates(model) if (folder / name).exists()), None)
    if path is None:
        raise ArtifactError(f"it holds no {MANIFEST}, {SKOPS} or {PICKLE}")
    data = path.read_bytes()
    found, _ = loads_skops(data) if path.name == SKOPS else loads(data)
    vectorizer, estimator = check_pair(as_pair(found), model)
    pickled = pickle.dumps((vectorizer, estimator), protocol=5)
    digest = hashlib.sha256(pickled).hexdigest()
    manifest = Manifest(
        model=model.name,
        version=origin.number,
        file=model.artifact_file,
        sha256=digest,
        created=datetime.fromtimestamp(origin.created / 1000, UTC).replace(microsecond=0),
        estimator=_title(estimator),
        parameters={},
        threshold=model.threshold,
        python=platform.python_version(),
        libraries={"scikit-learn": sklearn.__version__},
        feature_names=[str(name) for name in vectorizer.feature_names_],
        notes=[NO_MANIFEST, f"read from {path.name}, sha256 {hashlib.sha256(data).hexdigest()}"],
        golden=[],
    )
    path.unlink()
    (folder / model.artifact_file).write_bytes(pickled)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _title(estimator: Any) -> str:
    return type(getattr(estimator, "steps", [("", estimator)])[-1][1]).__name__
