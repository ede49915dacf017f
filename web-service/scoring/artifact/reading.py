"""A model's folder: the pickled pair, its compiled form and `manifest.json`, read with distrust.

    models/ride/lin_reg.bin      pickle of (DictVectorizer, estimator)
    models/ride/scorer.json      the same as data, where there is such a form: what serves then
    models/ride/profile.json     what the training data looked like, where training wrote it
    models/ride/history.jsonl    which versions were here before, where there were any
    models/ride/manifest.json    what it is, where it comes from, what it must answer

Order matters: manifest, then the files' digests. A compiled form is read as the data it is, and the
pair is not unpickled. Without one the allow-list comes next, and only then is the pair made. Last,
either is checked for the features that the model's code makes.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from scoring.artifact.folder import identity, in_place
from scoring.artifact.history import Former, former
from scoring.artifact.manifest import MANIFEST, OTHER_VERSION, UNKNOWN, Compiled, Manifest
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.scorers import Scorer, classes, linear, means, trees
from scoring.scorers.base import Kind, check_features
from scoring.values.pydantic_errors import first_error


@dataclass(frozen=True)
class Artifact:
    """A model that may serve: what it is, and what turns features into scores."""

    manifest: Manifest
    scorer: Scorer
    plots: Mapping[str, bytes] = field(default_factory=dict)  # PNG by file name
    former: Sequence[Former] = ()  # versions that were in the folder before, the oldest first

    def numbered(self, version: str) -> Artifact:
        """Return the same under the number that a registry has for its version."""
        return replace(self, manifest=self.manifest.model_copy(update={"version": version}))


def load(folder: Path, model: Model, *, compiled: bool = True) -> Artifact:
    """Return the artifact in `folder`, or raise ArtifactError with one line that names the model
    and says what to do. Without `compiled` the pair scores, whatever lies beside it."""
    with remedied(model):
        while True:
            place = in_place(folder)
            before = identity(place)
            try:
                return _load(place, model, compiled=compiled)
            except ArtifactError:
                if identity(in_place(folder)) == before:
                    raise  # else it was replaced meanwhile, and half of each was read


def _load(folder: Path, model: Model, *, compiled: bool) -> Artifact:
    manifest = read_manifest(folder, model)
    if manifest.profile_file is not None:
        _check_digest(folder / manifest.profile_file.file, manifest.profile_file.sha256)
    if manifest.compiled is None or not compiled:
        scorer = _pair(folder, manifest, model)
    else:
        with _checked_beside(folder / manifest.file, manifest.sha256):
            scorer = _compiled(folder, manifest.compiled, model)
    return Artifact(manifest, scorer, _plots(folder), former(folder))


_Compiled = linear.Linear | trees.Trees | means.Means | classes.Classes
_READERS: Final[Mapping[Kind, Callable[[bytes], _Compiled]]] = {
    "linear": linear.read, "trees": trees.read, "means": means.read, "classes": classes.read,
}  # fmt: skip


def read_compiled(kind: Kind, data: bytes, model: Model) -> _Compiled:
    """Return the scorer that the file of a compiled form holds, or raise ArtifactError where it
    cannot be read, or is none for the model's classes and features."""
    scorer = _READERS[kind](data)
    found = getattr(scorer, "classes", ())
    if found != model.classes:
        said = ", ".join(model.classes) or "none"
        raise ArtifactError(
            f"it was made for the classes {', '.join(found) or 'none'}; the model file has {said}"
        )
    separator = scorer.separator
    check_features(scorer.fitted, separator, model.fitted_on(scorer.fitted, separator))
    return scorer


def _compiled(folder: Path, compiled: Compiled, model: Model) -> Scorer:
    data = _read(folder / compiled.file)
    _same(compiled.file, hashlib.sha256(data).hexdigest(), compiled.sha256)
    return read_compiled(compiled.kind, data, model)


def _pair(folder: Path, manifest: Manifest, model: Model) -> Scorer:
    data = _read(folder / manifest.file)
    _same(manifest.file, hashlib.sha256(data).hexdigest(), manifest.sha256)
    check_scorable(manifest, manifest.version, model)
    # here, as they import scikit-learn, which nothing else needs
    from scoring.artifact.pickles import check_fitted, loads
    from scoring.scorers.sklearn import SklearnScorer

    accepted = OTHER_VERSION in manifest.notes
    pair, _ = loads(data, other_version=accepted)
    if not accepted:
        check_fitted(manifest.libraries.get("scikit-learn", UNKNOWN), manifest.file)
    return SklearnScorer(pair, model, manifest.positive)


def check_scorable(manifest: Manifest | None, version: str, model: Model) -> None:
    """Raise ArtifactError where only scikit-learn can score a version, and is not installed.

    `manifest` is the version's own, None where it has none and must be made of its pair.
    """
    compiled = manifest is not None and manifest.compiled is not None
    if not compiled and importlib.util.find_spec("sklearn") is None:
        raise ArtifactError(
            "this image was built without scikit-learn (SKLEARN=0); version "
            f"{version} of '{model.name}' has no compiled form"
        )


@contextmanager
def _checked_beside(path: Path, expected: str) -> Iterator[None]:
    """Do what `_check_digest` does while the block is at work: a forest's pair takes as long to
    hash as the nodes of its compiled form take to read."""
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(_check_digest, path, expected)
        yield
    checked.result()


def _check_digest(path: Path, expected: str) -> None:
    """Raise ArtifactError where the file is not the one of the manifest.

    A half-replaced folder is refused, even if its other half is what serves."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None
    _same(path.name, found, expected)


def _same(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise ArtifactError(
            f"{name} has the sha256 {found[:12]}..., its manifest says {expected[:12]}...: it was "
            "damaged or exchanged"
        )


@contextmanager
def remedied(model: Model) -> Iterator[None]:
    """Make one line of whatever is wrong with an artifact in this block: which model it is, what
    was found, and the command that makes it anew. A pair that came through the checks can still
    raise anything at all when it is asked."""
    try:
        yield
    except Exception as error:
        what = str(error) if isinstance(error, ArtifactError) else f"it cannot answer: {error!r}"
        line = " ".join(what.split())
        remedy = f"put it back, or make it anew: python train.py {model.name}"
        raise ArtifactError(f"model '{model.name}': {line}; {remedy}") from error


_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MAX_PLOTS: Final = 20
_MAX_PLOT_BYTES: Final = 1024 * 1024


def _plots(folder: Path) -> dict[str, bytes]:
    """Return the plots that training put beside the pair. They are kept in memory: the folder may
    hold another version's by the time that somebody looks. A plot that cannot be read, or is no
    plot, keeps no model from serving."""
    found = {}
    for path in sorted(folder.glob("*.png"))[:_MAX_PLOTS]:
        try:
            data = path.read_bytes() if path.stat().st_size <= _MAX_PLOT_BYTES else b""
        except OSError:
            continue
        if data.startswith(_PNG):
            found[path.name] = data
    return found


def read_manifest(folder: Path, model: Model) -> Manifest:
    """Return the manifest in `folder` and make sure that it is that of `model`."""
    text = _read(folder / MANIFEST)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{MANIFEST} cannot be used: {first_error(error)}") from error
    if manifest.model != model.name:
        raise ArtifactError(f"{MANIFEST} is that of the model '{manifest.model}'")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    if isinstance(error, FileNotFoundError):
        return ArtifactError(f"there is no {path}")
    return ArtifactError(f"{path} cannot be read: {error.strerror}")
