"""How good an adopted model is on a table that its owner has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scoring.artifact.manifest import Dataset
from scoring.models import Model
from scoring.record import RecordReader
from scoring.scorers import Scorer
from scoring.values.shares import numbers_of
from training.data.checks import check
from training.data.profile import profile
from training.data.tables import read
from training.evaluation import metrics as evaluation
from training.evaluation.reference import reference
from training.golden import golden_records
from training.sources import source_of

_BATCH = 10_000
_PART = "test"


class Measured(NamedTuple):
    """What a manifest says of it, by the manifest's names, the profile's content, and lines for a
    person."""

    facts: dict[str, Any]
    golden: list[dict[str, Any]]
    profile: bytes
    table: str
    note: str


def measure(model: Model, scorer: Scorer, data: Sequence[Path], threshold: float) -> Measured:
    """Return how the scores agree with the target in `data`, next to the trivial model's.

    Raises TrainingError where the table lacks a field or the target, or too few rows are usable.
    """
    source = source_of(model)
    table = read(model, source, data)
    frame = check(table, model, source).frame
    reader = RecordReader(model.record)
    rows = frame[list(model.record.model_fields)].to_dict("records")
    scores: list[float] = []
    for start in range(0, len(rows), _BATCH):
        records = reader.many(rows[start : start + _BATCH])
        found, _ = scorer.many([model.features(record) for record in records])
        scores += found
    each = np.array([numbers_of(score) for score in scores], dtype=np.float64)
    values = each if model.classes else each.ravel()
    trivial = evaluation.baseline_scores(frame, model, len(frame))
    metrics = {_PART: evaluation.evaluate(model, source, frame, values, threshold)}
    baseline = {_PART: evaluation.evaluate(model, source, frame, trivial, threshold)}
    word = "the mean" if model.task == "regression" else "the class rate"
    return Measured(
        facts={
            "metrics": metrics,
            "baseline": baseline,
            "data": {_PART: Dataset(name=table.name, rows=len(frame), sha256=table.sha256)},
            "profile": profile(frame, table.frame, model),
        },
        golden=golden_records(frame, model),
        profile=reference(model, frame, _PART, frame, values).content(),
        table=evaluation.table(metrics, baseline, word),
        note=f"measured on {table.name}, which it may have learned from",
    )
