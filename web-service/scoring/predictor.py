"""From validated records to answers: one model, loaded and proved, ready to serve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from scoring.artifact import Artifact, load, remedied
from scoring.errors import ArtifactError, InvalidRecords
from scoring.models import Answer, Features, Model
from scoring.record import Record, RecordReader

# How far a golden record's answer may be from the one in the manifest, relative to it: another
# processor rounds differently, another library version predicts differently.
_GOLDEN_TOLERANCE = 1e-6


class Scored(NamedTuple):
    """Valid records, the score of each, and what is answered to it; all three in order."""

    records: list[Record]
    scores: list[float]
    answers: list[dict[str, Any]]


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
        self.scorer = artifact.scorer
        self._prove()

    @classmethod
    def from_folder(cls, folder: Path, model: Model) -> Predictor:
        """Gives the predictor of the artifact in `folder`, or raises ArtifactError with one line
        that names the model and says what to do."""
        artifact = load(folder, model)
        with remedied(model):
            return cls(model, artifact)

    def one(self, value: object) -> Scored:
        """Gives the answer to a JSON object, or raises InvalidRecords with every bad field."""
        record = self.reader.one(value)
        score, unseen = self.scorer.one(self.model.features(record))
        if not math.isfinite(score):
            self._check([score])
        answer: dict[str, Any] = self.model.answer(score, self.manifest.threshold)
        if unseen:
            answer = {**answer, "unseen": list(unseen)}
        return Scored([record], [score], [answer])

    def many(self, values: list[Any]) -> Scored:
        """Gives the answers to a JSON array, in order, scored in one pass, or raises
        InvalidRecords."""
        return self._scored(self.reader.many(values))

    def answers(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Gives one answer a record, in order, scored in one pass. A category that training never
        saw is named under `unseen`, as the feature it would have been: `PU_DO=10_50`."""
        return self._scored(records).answers

    def scores(self, features: Sequence[Features]) -> list[float]:
        """Gives n_records floats, in order: predicted values or probabilities of the positive
        class. Raises ArithmeticError where the model gives no finite number."""
        scores, _ = self.scorer.many(features)
        self._check(scores)
        return scores

    def _scored(self, records: Sequence[Record]) -> Scored:
        make, answer, threshold = self.model.features, self.model.answer, self.manifest.threshold
        scores, unseen = self.scorer.many([make(record) for record in records])
        self._check(scores)
        answers: list[dict[str, Any]] = [answer(score, threshold) for score in scores]
        for place, names in unseen.items():
            answers[place] = {**answers[place], "unseen": list(names)}
        return Scored(list(records), scores, answers)

    def _check(self, scores: Sequence[float]) -> None:
        # what holds one that is not finite has no finite sum
        if not math.isfinite(sum(scores)) and not all(map(math.isfinite, scores)):
            raise ArithmeticError(f"model '{self.model.name}' {self.version} gave no finite number")

    def _prove(self) -> None:
        self.one(self.model.example)
        for number, golden in enumerate(self.manifest.golden, start=1):
            try:
                [got] = self.one(golden.record).answers
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
