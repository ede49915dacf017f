"""Candidate against champion on the same held-out rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.registry.cache import Origin
from scoring.registry.readers import read
from training import evaluation
from training.checks import check
from training.datasets import read as read_table
from training.datasets import source_of
from training.errors import TrainingError
from training.features import features
from training.split import split


def metric(model: Model) -> str:
    """Gives the metric that decides: RMSE, where less is better, or AUC, where more is."""
    return "rmse" if model.task == "regression" else "auc"


@dataclass(frozen=True)
class Contest:
    """How both did; the champion's value is None where there is none, or it cannot be loaded."""

    metric: str
    rows: int
    candidate: float
    champion: float | None
    problem: str | None = None

    def scores(self) -> dict[str, Any]:
        """Gives what the history keeps."""
        return {
            "metric": self.metric,
            "rows": self.rows,
            "candidate": self.candidate,
            "champion": self.champion,
        }

    def objections(self, margin: float) -> list[str]:
        """Says what speaks against the candidate: worse by more than `margin`, a share."""
        if self.problem:
            return [self.problem]
        if self.champion is None:
            return []
        sign = 1 if self.metric == "rmse" else -1
        worse = sign * (self.candidate - self.champion) / abs(self.champion)
        if worse <= margin:
            return []
        return [
            f"on {self.rows} held-out rows its {self.metric} is {self.candidate:.6g}, the "
            f"champion's {self.champion:.6g}: worse by {worse:.1%}, {margin:.1%} is allowed"
        ]


def hold(
    model: Model, candidate: ModelVersion, champion: ModelVersion | None, data: Sequence[Path]
) -> Contest:
    """Loads both through the service's allow-list, which has them answer their golden records, and
    scores them. Raises ArtifactError for a candidate that could not serve, TrainingError where
    there are no rows to score on."""
    new = _predictor(model, candidate)
    frame = _held_out(model, new, data)
    mine = _score(model, new, frame)
    name = metric(model)
    if champion is None:
        return Contest(name, len(frame), mine, None)
    try:
        theirs = _score(model, _predictor(model, champion), frame)
    except ArtifactError as error:
        problem = f"the champion, version {champion.version}, cannot be compared: {error}"
        return Contest(name, len(frame), mine, None, problem)
    return Contest(name, len(frame), mine, theirs)


def _predictor(model: Model, version: ModelVersion) -> Predictor:
    origin = Origin(
        number=str(version.version),
        created=version.creation_timestamp,
        source=version.source or "",
        model=version.name,
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            uri = f"models:/{version.name}/{version.version}"
            path = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except (MlflowException, OSError) as error:
            raise ArtifactError(f"the files of version {version.version}: {error}") from error
        return Predictor(model, read(Path(path), model, origin))


def _held_out(model: Model, candidate: Predictor, data: Sequence[Path]) -> pd.DataFrame:
    """Gives all usable rows of `data`; with none named, the test part of the bundled sample as the
    candidate's training split it."""
    source = source_of(model)
    table = read_table(model, source, data)
    frame = check(table, model, source, max_dropped=1, keep_out_of_range=False).frame
    if data:
        return frame
    manifest = candidate.manifest
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
    scores = np.asarray(predictor.scores(features(frame, model)))
    found = evaluation.evaluate(
        model, source_of(model), frame, scores, predictor.manifest.threshold
    )[metric(model)]
    if found is None:
        raise TrainingError("the held-out rows are all of one class: no AUC can be had of them")
    return float(found)
