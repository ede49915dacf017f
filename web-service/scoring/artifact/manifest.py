"""`manifest.json`: what an artifact is, where it comes from, what it must answer.

A change of the format:

- A field that an older service may ignore is added to `Manifest` with a default, and to `Facts` in
  facts.py if whoever makes the artifact has to say it. FORMAT stays: unknown fields are ignored.
- Anything else (a field that goes or means something else, another layout of the files) raises
  FORMAT. `Manifest.format` then takes both numbers, and a validator with `mode="before"` turns the
  old shape into the new: people keep artifacts longer than services. An older service refuses the
  new number by name.
- The compiled forms have a FORMAT each, in scorers/linear.py and scorers/tree_file.py. An artifact
  keeps its pair: `python -m training.adopt MODEL FOLDER` compiles it anew.
- Test it with an artifact that the old code wrote, in tests/scoring/artifact/, and tell it in the
  changelog.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.artifact.calibration import Calibration
from scoring.models import Answer, Model
from scoring.scorers.base import Kind

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
PROFILE: Final = "profile.json"  # scoring/profiles/profile.py
SKOPS: Final = "model.skops"
PICKLE: Final = "model.pkl"
FILE_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._=+-]*$"  # of every file in an artifact
VERSION_DIGITS: Final = 12  # of the sha256, where no registry has numbered the version
UNKNOWN: Final = "unknown"  # the Python or the library that fitted a pair of somebody else's
# In `notes` of a manifest whose pair was taken in although another scikit-learn wrote it.
OTHER_VERSION: Final = "pickled by another scikit-learn version, accepted by its owner"

# In `notes` of a manifest whose pair cannot be loaded here, so that its compiled form was made from
# what the pair holds and compared with nothing, or with answers that a person gave.
NOT_PROVED: Final = "not proved against its own library"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Dataset(_Part):
    """What a split was made of: `sha256` is over the files read, `rows` are those used, `first`
    and `last` the days of the earliest and the latest where the rows are dated; 98 of 100 rows lie
    from `usual_first` to `usual_last`."""

    name: str
    rows: int
    sha256: str
    first: date | None = None
    last: date | None = None
    usual_first: date | None = None
    usual_last: date | None = None


class Golden(_Part):
    """A record and what the model answered to it when it was made."""

    record: dict[str, Any]
    answer: Answer


_FileName = Annotated[str, Field(pattern=FILE_NAME)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Compiled(_Part):
    """The compiled form beside the pair, and the estimator's kind by which it is read."""

    kind: Kind
    file: _FileName
    sha256: _Sha256


class ProfileFile(_Part):
    """The profile beside the pair: what the training data and the errors looked like."""

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
    profile_file: ProfileFile | None = None  # none of before it, and without data
    created: datetime
    estimator: str
    parameters: dict[str, Any]
    threshold: Annotated[float, Field(ge=0, le=1)]
    positive: str | None = None  # the positive class, where the classes' names do not tell
    seed: int | None = None
    python: str
    libraries: dict[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None
    data: dict[str, Dataset] = {}  # by split: training, validation, test
    metrics: dict[str, dict[str, Any]] = {}  # by split
    baseline: dict[str, dict[str, Any]] = {}  # the same metrics of the trivial model
    profile: dict[str, dict[str, Any]] = {}  # by field of the record and target
    calibration: Calibration | None = None  # of a regression; artifacts of before it have none
    dropped: dict[str, int] = {}  # reason -> rows not used
    spread: dict[str, float] = {}  # standard deviation of the features that move answers most
    notes: list[str] = []
    feature_names: list[str]
    golden: list[Golden]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that belong to it, beside the manifest itself."""
        parts = (self.compiled, self.profile_file)
        return self.file, *(part.file for part in parts if part is not None)

    @property
    def trained(self) -> datetime | None:
        """When the pair was fitted; None where it is somebody else's: `created` is then the day on
        which it was taken in."""
        return None if self.python == UNKNOWN else self.created

    def content(self) -> bytes:
        """Return the bytes of the file."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def readable_files(model: Model) -> tuple[str, ...]:
    """Return the names of the files that can be read where there is no manifest, the best first."""
    return SKOPS, PICKLE, model.artifact_file
