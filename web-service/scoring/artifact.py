"""A model's folder: the pickled pair, its compiled form and `manifest.json`, read with distrust.

    models/ride/lin_reg.bin      pickle of (DictVectorizer, estimator)
    models/ride/scorer.json      the same as data, where there is such a form: what serves then
    models/ride/manifest.json    what it is, where it comes from, what it must answer

Order matters: manifest, then the files' digests. A compiled form is read as the data it is, and the
pair is not unpickled. Without one the allow-list comes next, and only then is the pair made. Last,
either is checked for the features that the model's code makes.

A field that an older service may ignore is added to the manifest with a default. Any other change
of its format: raise FORMAT, keep reading the old number here, and say so in the changelog: people
keep artifacts longer than services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scoring.errors import ArtifactError
from scoring.models import Answer, Model
from scoring.scorers import Kind, Scorer, check_features, linear, trees

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
VERSION_DIGITS: Final = 12  # of the sha256, where no registry has numbered the version


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Dataset(_Part):
    """What a split was made of: `sha256` is over the files read, `rows` are those used, `first`
    and `last` the days of the earliest and the latest where the rows are dated."""

    name: str
    rows: int
    sha256: str
    first: date | None = None
    last: date | None = None


class Golden(_Part):
    """A record and what the model answered to it when it was made."""

    record: dict[str, Any]
    answer: Answer


_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._=+-]*$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Compiled(_Part):
    """The compiled form beside the pair, and the estimator's kind by which it is read."""

    kind: Kind
    file: _FileName
    sha256: _Sha256


class Manifest(_Part):
    """The whole story of one artifact, as `manifest.json` keeps it."""

    format: Literal[1] = FORMAT
    model: str
    version: str
    file: _FileName
    sha256: _Sha256
    compiled: Compiled | None = None  # artifacts of before it, and of some estimators, have none
    created: datetime
    estimator: str
    parameters: dict[str, Any]
    threshold: Annotated[float, Field(ge=0, le=1)]
    seed: int | None = None
    python: str
    libraries: dict[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None
    data: dict[str, Dataset] = {}  # by split: training, validation, test
    metrics: dict[str, dict[str, Any]] = {}  # by split
    baseline: dict[str, dict[str, Any]] = {}  # the same metrics of the trivial model
    profile: dict[str, dict[str, Any]] = {}  # by field of the record and target
    dropped: dict[str, int] = {}  # reason -> rows not used
    notes: list[str] = []
    feature_names: list[str]
    golden: list[Golden]


@dataclass(frozen=True)
class Artifact:
    """A model that may serve: what it is, and what turns features into scores."""

    manifest: Manifest
    scorer: Scorer
    plots: Mapping[str, bytes] = field(default_factory=dict)  # PNG by file name

    def numbered(self, version: str) -> Artifact:
        """Gives the same under the number that a registry has for its version."""
        return replace(self, manifest=self.manifest.model_copy(update={"version": version}))


def load(folder: Path, model: Model, *, compiled: bool = True) -> Artifact:
    """Gives the artifact in `folder`, or raises ArtifactError with one line that names the model
    and says what to do. Without `compiled` the pair scores, whatever lies beside it."""
    with remedied(model):
        manifest = read_manifest(folder, model)
        if manifest.compiled is None or not compiled:
            scorer = _pair(folder, manifest, model)
        else:
            _check_digest(folder / manifest.file, manifest.sha256)
            scorer = _compiled(folder, manifest.compiled, model)
        return Artifact(manifest, scorer, _plots(folder))


def read_compiled(kind: Kind, data: bytes) -> linear.Linear | trees.Trees:
    """Gives the scorer that the file of a compiled form holds, or raises ArtifactError."""
    return linear.read(data) if kind == "linear" else trees.read(data)


def _compiled(folder: Path, compiled: Compiled, model: Model) -> Scorer:
    data = _read(folder / compiled.file)
    _same(compiled.file, hashlib.sha256(data).hexdigest(), compiled.sha256)
    scorer = read_compiled(compiled.kind, data)
    check_features(scorer.fitted, scorer.separator, model)
    return scorer


def _pair(folder: Path, manifest: Manifest, model: Model) -> Scorer:
    data = _read(folder / manifest.file)
    _same(manifest.file, hashlib.sha256(data).hexdigest(), manifest.sha256)
    # here, as they import scikit-learn, which nothing else needs
    from scoring.scorers.pair import Pair
    from scoring.unpickle import loads

    pair, _ = loads(data, other_version=OTHER_VERSION in manifest.notes)
    return Pair(pair, model)


def _check_digest(path: Path, expected: str) -> None:
    """Half an exchanged folder is none, also where the other half is what serves."""
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
    """Makes one line of whatever is wrong with an artifact in this block: which model it is, what
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
    """Gives the plots that training put beside the pair. They are kept in memory: the folder may
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


# In `notes` of a manifest whose pair was taken in although another scikit-learn wrote it.
OTHER_VERSION: Final = "pickled by another scikit-learn version, accepted by its owner"


def read_manifest(folder: Path, model: Model) -> Manifest:
    """Gives the manifest in `folder` and makes sure that it speaks of `model`."""
    text = _read(folder / MANIFEST)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ArtifactError(f"{MANIFEST} cannot be used: {place}: {first['msg']}") from error
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
