"""From validated records to answers: one model, loaded and proved, ready to serve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from scoring.artifact import Artifact, load, remedied
from scoring.errors import ArtifactError, InvalidRecords
from scoring.models import Answer, Features, Model
from scoring.record import Record, RecordReader

# How far a golden record's answer may be from the one in the manifest, relative to it: another
# processor rounds differently, another library version predicts differently.
_GOLDEN_TOLERANCE = 1e-6


class Predictor:
    """Answers for one version of one model; its attributes do not change once it is made."""

    def __init__(self, model: Model, artifact: Artifact) -> None:
        """Raises ArtifactError if the artifact does not answer its golden records as it did when
        it was made. That also warms up everything that the first request would."""
        self.model = model
        self.artifact = artifact
        self.manifest = artifact.manifest
        self.version = artifact.manifest.version
        self.reader = RecordReader(model.record)
        self.loaded = datetime.now(UTC)
        self._vectorizer = artifact.vectorizer
        self._estimator = artifact.estimator
        for part in (self._estimator, *dict(getattr(self._estimator, "steps", ())).values()):
            if hasattr(part, "n_jobs"):
                # threads are the server's: a forest with its own makes every request slower
                part.n_jobs = 1
        self._prove()

    @classmethod
    def from_folder(cls, folder: Path, model: Model) -> Predictor:
        """Gives the predictor of the artifact in `folder`, or raises ArtifactError with one line
        that names the model and says what to do."""
        artifact = load(folder, model)
        with remedied(model):
            return cls(model, artifact)

    def answers(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Gives one answer a record, in order, scored in one pass. A category that training never
        saw is named under `unseen`, as the feature it would have been: `PU_DO=10_50`."""
        features = [self.model.features(record) for record in records]
        answers: list[dict[str, Any]] = []
        for score, made in zip(self.scores(features), features, strict=True):
            answer: dict[str, Any] = {**self.model.answer(score, self.manifest.threshold)}
            if unseen := self.unseen(made):
                answer["unseen"] = unseen
            answers.append(answer)
        return answers

    def scores(self, features: Sequence[Features]) -> list[float]:
        """Gives n_records floats, in order: predicted values or probabilities of the positive
        class. Raises ArithmeticError where the estimator gives no finite number."""
        if not features:
            return []
        x = self._vectorizer.transform(features)  # (n_records, n_features)
        if self.model.task == "classification":
            y = self._estimator.predict_proba(x)[:, 1]
        else:
            y = self._estimator.predict(x)
        if not np.isfinite(y).all():
            raise ArithmeticError(f"model '{self.model.name}' {self.version} gave no finite number")
        scores: list[float] = np.asarray(y, dtype=np.float64).tolist()
        return scores

    def unseen(self, features: Features) -> list[str]:
        """Gives the one-hot names in `features` that the vectorizer was not fitted on."""
        known = self._vectorizer.vocabulary_
        names = (
            f"{name}{self._vectorizer.separator}{value}"
            for name, value in features.items()
            if isinstance(value, str)
        )
        return [name for name in names if name not in known]

    def _prove(self) -> None:
        self.answers([self.reader.one(self.model.example)])
        for number, golden in enumerate(self.manifest.golden, start=1):
            try:
                [got] = self.answers([self.reader.one(golden.record)])
            except InvalidRecords as error:
                raise ArtifactError(
                    f"golden record {number} is no valid record: "
                    f"{error.errors[0].field}: {error.errors[0].problem}"
                ) from error
            if not _agree(golden.answer, got):
                raise ArtifactError(
                    f"golden record {number} gives {got} and gave {dict(golden.answer)} when the "
                    "model was made, with other libraries perhaps"
                )


def _agree(expected: Answer, got: Mapping[str, Any]) -> bool:
    def same(name: str, value: float | bool) -> bool:
        found = got.get(name)
        if isinstance(value, bool) or found is None:
            return found == value
        return math.isclose(found, value, rel_tol=_GOLDEN_TOLERANCE, abs_tol=1e-9)

    return all(same(name, value) for name, value in expected.items())
