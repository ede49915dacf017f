"""Compares a candidate with the champion on the same held-out rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from scoring.artifact.foreign import read
from scoring.artifact.manifest import Manifest
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from training.data.checks import check
from training.data.split import split
from training.data.tables import read as read_table
from training.errors import TrainingError
from training.evaluation.metrics import deciding_metric
from training.rows import measure, scores_of
from training.sources import source_of


@dataclass(frozen=True)
class Comparison:
    """The deciding metric of both versions on the same rows.

    `champion` is None where no version serves, or where `problem` says why it cannot be compared.
    """

    metric: str
    rows: int
    candidate: float
    champion: float | None
    problem: str | None = None

    def scores(self) -> dict[str, Any]:
        """Return what the promotion history keeps of the comparison."""
        return {
            "metric": self.metric,
            "rows": self.rows,
            "candidate": self.candidate,
            "champion": self.champion,
        }

    def objections(self, margin: float) -> list[str]:
        """Return the reasons not to promote; a candidate may be worse by the share `margin`."""
        if self.problem:
            return [self.problem]
        if self.champion is None:
            return []
        sign = -1 if self.metric == "auc" else 1
        worse = sign * (self.candidate - self.champion) / abs(self.champion)
        if worse <= margin:
            return []
        return [
            f"on {self.rows} held-out rows its {self.metric} is {self.candidate:.6g}, the "
            f"champion's {self.champion:.6g}: worse by {worse:.1%}, {margin:.1%} is allowed"
        ]


def compare_champion(
    model: Model, candidate: ModelVersion, champion: ModelVersion | None, data: Sequence[Path]
) -> Comparison:
    """Score the candidate, and the champion if there is one, on rows that neither was fitted on.

    Both are loaded as the service loads them, golden records included. Raises ArtifactError for a
    candidate that could not serve, and TrainingError where there are no rows to score.
    """
    new = _predictor(model, candidate)
    frame = _held_out(model, new.manifest, data)
    mine = _score(model, new, frame)
    name = deciding_metric(model)
    if champion is None:
        return Comparison(name, len(frame), mine, None)
    try:
        theirs = _score(model, _predictor(model, champion), frame)
    except ArtifactError as error:
        problem = f"the champion, version {champion.version}, cannot be compared: {error}"
        return Comparison(name, len(frame), mine, None, problem)
    return Comparison(name, len(frame), mine, theirs)


def _predictor(model: Model, version: ModelVersion) -> Predictor:
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    with tempfile.TemporaryDirectory() as folder:
        try:
            uri = f"models:/{version.name}/{version.version}"
            path = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except (MlflowException, OSError) as error:
            raise ArtifactError(f"the files of version {version.version}: {error}") from error
        return Predictor(
            model, read(Path(path), model, version=str(version.version), created=created)
        )


def _held_out(model: Model, manifest: Manifest, data: Sequence[Path]) -> pd.DataFrame:
    """Return all usable rows of `data`.

    Without files these are the test part of the bundled sample, as the candidate's training split
    it.
    """
    source = source_of(model)
    table = read_table(model, source, data)
    frame = check(table, model, source, max_dropped=1, keep_out_of_range=False).frame
    if data:
        return frame
    trained_on = {part.sha256 for part in manifest.data.values()}
    if trained_on != {table.sha256}:
        names = ", ".join(sorted({part.name for part in manifest.data.values()})) or "unknown data"
        raise TrainingError(
            f"it was trained on {names}: name rows that it has not seen with --data FILE"
        )
    held = split(frame, model, manifest.seed or 1).test
    assert held is not None  # noqa: S101  # `split` always makes one
    return held


def _score(model: Model, predictor: Predictor, frame: pd.DataFrame) -> float:
    value = measure(predictor, frame, scores_of(predictor, frame))[deciding_metric(model)]
    if value is None:
        raise TrainingError("the held-out rows are all of one class, which leaves no AUC")
    return float(value)
