"""A model's folder: the pickled pair and `manifest.json`, read with distrust.

    models/ride/lin_reg.bin      pickle of (DictVectorizer, estimator)
    models/ride/manifest.json    what it is, where it comes from, what it must answer

Order matters: manifest, then the file's digest, then the allow-list, and only then is the pair
made; last it is checked for the features that the model's code makes.

To change the manifest's format, raise FORMAT, keep reading the old number here, and say so in the
changelog: people keep artifacts longer than services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sklearn.feature_extraction import DictVectorizer

from scoring.errors import ArtifactError
from scoring.models import Answer, Model
from scoring.unpickle import loads

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


class Manifest(_Part):
    """The whole story of one artifact, as `manifest.json` keeps it."""

    format: Literal[1] = FORMAT
    model: str
    version: str
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._=+-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
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
    """A pair that may serve. The vectorizer takes dicts and gives X, (n_records, n_features)
    float64; the estimator takes X."""

    manifest: Manifest
    vectorizer: DictVectorizer
    estimator: Any
    plots: Mapping[str, bytes] = field(default_factory=dict)  # PNG by file name


def load(folder: Path, model: Model) -> Artifact:
    """Gives the artifact in `folder`, or raises ArtifactError with one line that names the model
    and says what to do."""
    with remedied(model):
        manifest = read_manifest(folder, model)
        data = _read(folder / manifest.file)
        found = hashlib.sha256(data).hexdigest()
        if found != manifest.sha256:
            raise ArtifactError(
                f"{manifest.file} has the sha256 {found[:12]}..., its manifest says "
                f"{manifest.sha256[:12]}...: it was damaged or exchanged"
            )
        pair, _ = loads(data, other_version=OTHER_VERSION in manifest.notes)
        vectorizer, estimator = check_pair(pair, model)
        return Artifact(manifest, vectorizer, estimator, _plots(folder))


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


def check_pair(pair: object, model: Model) -> tuple[DictVectorizer, Any]:
    """Gives (vectorizer, estimator) if `pair` can predict `model`'s target from the features that
    its code makes."""
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], DictVectorizer)):
        raise ArtifactError("the pickle holds no pair (DictVectorizer, estimator)")
    vectorizer, estimator = pair
    method = "predict" if model.task == "regression" else "predict_proba"
    if not hasattr(estimator, method):
        raise ArtifactError(f"{type(estimator).__name__} has no {method}; {model.task} needs it")
    names = getattr(vectorizer, "feature_names_", None)
    if not names:
        raise ArtifactError("the DictVectorizer is not fitted")
    width = getattr(estimator, "n_features_in_", len(names))
    if width != len(names):
        raise ArtifactError(
            f"the DictVectorizer makes {len(names)} features, the estimator takes {width}"
        )
    if model.task == "classification" and len(estimator.classes_) != 2:
        raise ArtifactError(f"the estimator knows {len(estimator.classes_)} classes, not two")
    _check_names(names, vectorizer.separator, model)
    return vectorizer, estimator


def _check_names(names: Iterable[str], separator: str, model: Model) -> None:
    """One-hot columns must come from the code's texts, plain columns from its numbers."""
    example = model.features(model.record.model_validate(model.example))
    made = {name + separator if isinstance(value, str) else name for name, value in example.items()}
    fitted = {head + found for head, found, _ in (name.partition(separator) for name in names)}
    if fitted != made:
        wrong = sorted(fitted ^ made)
        raise ArtifactError(
            f"the pair was fitted on other features than '{model.name}' makes: "
            f"{', '.join(repr(name) for name in wrong[:5])} only in "
            f"{'the pair' if wrong[0] in fitted else 'the code'}"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"there is no {path}") from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
