"""What a manifest tells of a pair that the pair does not show itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scoring.artifact.calibration import Calibration
from scoring.artifact.manifest import VERSION_DIGITS, Dataset, Manifest
from scoring.models import Model


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """With what a pair was fitted: Python, libraries by name, the code's commit and whether the
    tree differed from it."""

    python: str
    libraries: Mapping[str, str]
    git_commit: str | None = None
    git_dirty: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Each but `provenance` is the manifest's field of that name."""

    threshold: float
    provenance: Provenance
    parameters: Mapping[str, Any] = field(default_factory=dict)
    positive: str | None = None
    seed: int | None = None
    data: Mapping[str, Dataset] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    profile: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calibration: Calibration | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


def last_step(estimator: Any) -> str:
    """Return the class of an estimator, of the last step of a Pipeline."""
    return type(getattr(estimator, "steps", [("", estimator)])[-1][1]).__name__


def describe(
    model: Model,
    names: Sequence[str],
    estimator: str,
    pickled: bytes,
    facts: Facts,
    *,
    version: str | None = None,
    created: datetime | None = None,
) -> Manifest:
    """Return the manifest, without golden records, of a pair and its pickle: `names` are the
    columns of its vectorizer, `estimator` the class of the last step.

    The version is made of the digest and the day is today unless they are given.
    """
    digest = hashlib.sha256(pickled).hexdigest()
    return Manifest(
        model=model.name,
        version=version or digest[:VERSION_DIGITS],
        file=model.artifact_file,
        sha256=digest,
        created=(created or datetime.now(UTC)).replace(microsecond=0),
        estimator=estimator,
        parameters=dict(facts.parameters),
        threshold=facts.threshold,
        positive=facts.positive,
        seed=facts.seed,
        python=facts.provenance.python,
        libraries=dict(facts.provenance.libraries),
        git_commit=facts.provenance.git_commit,
        git_dirty=facts.provenance.git_dirty,
        data=dict(facts.data),
        metrics={split: dict(found) for split, found in facts.metrics.items()},
        baseline={split: dict(found) for split, found in facts.baseline.items()},
        profile={name: dict(found) for name, found in facts.profile.items()},
        calibration=facts.calibration,
        dropped=dict(facts.dropped),
        spread=dict(facts.spread),
        notes=list(facts.notes),
        feature_names=[str(name) for name in names],
        golden=[],
    )
