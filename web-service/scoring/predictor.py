"""From validated records to answers: one model, loaded and proved, ready to serve."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from scoring.artifact.manifest import NOT_PROVED
from scoring.artifact.reading import Artifact, load, remedied
from scoring.errors import ArtifactError, InvalidRecords, RequestError
from scoring.limits import Limits
from scoring.models import Features, Model
from scoring.ranges import Ranges
from scoring.record import Record, RecordReader
from scoring.scorers.base import Scores
from scoring.scorers.columns import Columns, columns
from scoring.typed_decoder import typed_decoder
from scoring.typed_records import TypedRecords
from scoring.values.strict_json import decode, encode

_log = logging.getLogger(__name__)

# How far a golden record's answer may be from the one in the manifest, relative to it: another
# processor rounds differently, another library version predicts differently.
_GOLDEN_TOLERANCE = 1e-6


_NUMBER = (-sys.float_info.max, sys.float_info.max)
_PROBABILITY = (-1e-9, 1 + 1e-9)  # a sum of shares may be rounded


class Scored(NamedTuple):
    """Valid records, the score of each, and what is answered to it; all three in order."""

    records: list[Record]
    scores: list[float]
    answers: list[dict[str, Any]]


class Predictor:
    """Answers for one version of one model; its attributes do not change once it is made."""

    def __init__(self, model: Model, artifact: Artifact) -> None:
        """Raise ArtifactError if the artifact does not answer its golden records as it did when
        it was made. That also warms up everything that the first request would."""
        separator = getattr(artifact.scorer, "separator", "=")
        self.model = model = model.fitted_on(artifact.manifest.feature_names, separator)
        self.artifact = artifact
        self.manifest = artifact.manifest
        self.version = artifact.manifest.version
        self.reader = RecordReader(model.record)
        self.loaded = datetime.now(UTC)
        self.scorer = artifact.scorer
        self._typed = typed_decoder(model.record)
        self._columns: Columns | None = None
        self.ranges = Ranges(model, artifact.manifest)
        self._range = _PROBABILITY if model.task == "classification" else _NUMBER
        self._prove()
        self._prepare_arrays()

    @classmethod
    def from_folder(cls, folder: Path, model: Model) -> Predictor:
        """Return the predictor of the artifact in `folder`, or raise ArtifactError with one line
        that names the model and says what to do."""
        artifact = load(folder, model)
        if NOT_PROVED in artifact.manifest.notes:
            _log.warning("model '%s' %s: %s", model.name, artifact.manifest.version, NOT_PROVED)
        with remedied(model):
            return cls(model, artifact)

    def one(self, value: object) -> Scored:
        """Return the answer to a JSON object, or raise InvalidRecords with every bad field."""
        record = self.reader.one(value)
        score, unseen = self.scorer.one(self.model.features(record))
        if not self._range[0] <= score <= self._range[1]:  # NaN is neither
            self.check([score])
        answer: dict[str, Any] = self.model.answer(score, self.manifest.threshold)
        if unseen:
            answer = {**answer, "unseen": list(unseen)}
        if beyond := self.ranges.beyond(vars(record)):
            answer = {**answer, "beyond": beyond}
        return Scored([record], [score], [answer])

    def many(self, values: list[Any], max_errors: int = Limits.max_errors) -> Scored:
        """Return the answers to a JSON array, in order, scored in one pass.

        Raises InvalidRecords, which lists `max_errors` bad fields at most.
        """
        return self._scored(self.reader.many(values, max_errors))

    @property
    def has_columns(self) -> bool:
        """Whether plain arrays are scored by column, a microsecond a record or so."""
        return self._columns is not None

    def plain_array(self, body: bytes, limits: Limits) -> Scored | None:
        """Return the answers to a JSON array of plain records, read and scored in one pass; None
        where it is not one, and `many` must read it. Raises TooLarge."""
        records = self._typed.many(body) if self._typed else None
        if records is None:
            return None
        limits.check_records(len(records))
        return self._scored(records, self._columns.many(records) if self._columns else None)

    def each(self, items: Sequence[Any]) -> tuple[Scored, dict[int, RequestError]]:
        """Return the answers to those of `items` that are valid, in order and scored in one pass,
        and by place what is wrong with each other one.

        An item is one record: its JSON text as bytes, or its JSON value.
        """
        typed = self._typed.one if self._typed else None
        records: list[Record] = []
        refused: dict[int, RequestError] = {}
        plain = typed is not None
        for place, item in enumerate(items):
            is_text = type(item) is bytes
            record = typed(item) if typed and is_text else None
            if record is None:
                try:
                    record = self.reader.one(decode(item) if is_text else item)
                except RequestError as error:
                    refused[place] = error
                    continue
                plain = False
            records.append(record)
        if plain and self._columns and records:
            records = TypedRecords(records)
            return self._scored(records, self._columns.many(records)), refused
        return self._scored(records), refused

    def answers(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Return one answer a record, in order, scored in one pass. A category that training never
        saw is named under `unseen`, as the feature it would have been: `PU_DO=10_50`; a number
        beyond training's under `beyond`."""
        return self._scored(records).answers

    def scores(self, features: Sequence[Features]) -> list[float]:
        """Return n_records floats, in order: predicted values, probabilities of the positive
        class, or of several classes a `Shares` each. Raises ArithmeticError where the model gives
        no finite number."""
        scores, _ = self.scorer.many(features)
        self.check(scores)
        return scores

    def check(self, scores: Sequence[float]) -> None:
        """Raise ArithmeticError where a score is no finite number, or no probability where it
        should be one."""
        # what holds one that is not finite has no finite sum
        if not math.isfinite(sum(scores)) and not all(map(math.isfinite, scores)):
            raise ArithmeticError(f"model '{self.model.name}' {self.version} gave no finite number")
        low, high = self._range
        if scores and not (low <= min(scores) and max(scores) <= high):
            raise ArithmeticError(
                f"model '{self.model.name}' {self.version} gave a probability beyond 0 and 1"
            )

    def _scored(self, records: Sequence[Record], scored: Scores | None = None) -> Scored:
        make, answer, threshold = self.model.features, self.model.answer, self.manifest.threshold
        scores, unseen = scored or self.scorer.many([make(record) for record in records])
        self.check(scores)
        answers: list[dict[str, Any]] = [answer(score, threshold) for score in scores]
        for place, names in unseen.items():
            answers[place] = {**answers[place], "unseen": list(names)}
        for place, beyond in self.ranges.beyond_of(records).items():
            answers[place] = {**answers[place], "beyond": beyond}
        kept = records if isinstance(records, TypedRecords) else list(records)
        return Scored(kept, scores, answers)

    def _prepare_arrays(self) -> None:
        """Read plain arrays by types where `features` takes such records as it takes others."""
        if not self._typed:
            return
        try:
            [typed] = self._typed.many(encode([dict(self.model.example)])) or [None]
            expected = self.model.features(self.reader.one(dict(self.model.example)))
            if self.model.features(typed) == expected:
                linear = self.scorer.linear()
                self._columns = columns(linear, self.model, self._typed.kind) if linear else None
                return
        except Exception as error:  # noqa: BLE001  # whatever it is, there is the other way
            _log.debug("arrays for '%s' go the long way: %r", self.model.name, error)
        self._typed = None

    def _prove(self) -> None:
        self.one(self.model.example)
        for number, golden in enumerate(self.manifest.golden, start=1):
            try:
                [got] = self.one(golden.record).answers
            except InvalidRecords as error:
                raise ArtifactError(
                    f"golden record {number} is not a valid record: "
                    f"{error.errors[0].field}: {error.errors[0].problem}"
                ) from error
            if not _agree(golden.answer, got):
                raise ArtifactError(
                    f"golden record {number} gives {got} and gave {dict(golden.answer)} when the "
                    "model was made, with other libraries perhaps"
                )


def _agree(expected: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    def same(name: str, value: Any) -> bool:
        found = got.get(name)
        if isinstance(value, dict):
            return isinstance(found, dict) and len(found) == len(value) and _agree(value, found)
        if isinstance(value, bool | str) or isinstance(found, str | dict) or found is None:
            return bool(found == value)
        return math.isclose(found, value, rel_tol=_GOLDEN_TOLERANCE, abs_tol=1e-9)

    return all(same(name, value) for name, value in expected.items())
