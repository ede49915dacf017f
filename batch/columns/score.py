"""Score a record batch: answers of the valid rows, problems of the others.

What rules and compiled scorer cannot do for sure is done row by row by the predictor itself, so
that answers and refusals are those of a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from batch.columns.answers import Answers, columns_of, flattened
from batch.columns.features import Column, Features
from batch.columns.fields import Array, Coded, Field, Mask, Values, fields_of, plain
from batch.columns.refusals import Refusals, Rejected, RowReader
from batch.columns.scores import column_scorer
from scoring.errors import InvalidRecords
from scoring.intervals import ENDS, Interval, numbers_of
from scoring.predictor import Predictor
from scoring.ranges import Ranges, worded

_SLICE: Final = 10_000  # rows that go through the predictor at a time


@dataclass(frozen=True)
class Answered:
    """The outcome of n rows: `rows` (None: all of them) are the places of the valid ones, and
    `scores`, `answers`, `unseen` and `beyond` have one entry for each of these, in order."""

    rows: Array | None
    scores: Array
    answers: Mapping[str, pa.Array]
    unseen: pa.Array  # list of texts, empty where there is nothing new
    beyond: pa.Array  # likewise, of numbers beyond those of the training
    rejected: Sequence[Rejected]


class TableScorer:
    """Scores record batches with one predictor; safe to use from several threads."""

    def __init__(self, predictor: Predictor, interval: float | None = None) -> None:
        """Raise ArithmeticError where the columnar form does not give the golden records the
        answers that `predictor` gives, InvalidQuery where it has no calibration to make `interval`
        of."""
        self._interval = Interval(predictor, interval) if interval is not None else None
        self.predictor = predictor
        self.model = predictor.model
        self._answers = Answers(self.model, predictor.manifest.threshold)
        self._fields = fields_of(self.model, predictor.reader)
        self._scorer = column_scorer(predictor.scorer)
        self._features = None
        if self._fields is not None and self._scorer is not None:
            self._features = Features(self.model, self._fields)
        self._refusals = Refusals(predictor.reader)
        self._defaults = {
            name: info.get_default(call_default_factory=True)
            for name, info in self.model.record.model_fields.items()
            if not info.is_required()
        }
        self._prove()

    @property
    def vectorised(self) -> bool:
        """Whether rows are scored column by column."""
        return self._features is not None

    @property
    def answer_types(self) -> dict[str, pa.DataType]:
        """The answer's columns with their types, in order."""
        example = self.predictor.answers([self.model.record.model_validate(self.model.example)])
        made = {**flattened(columns_of(example)), **self.ends(np.empty(0))}
        return {name: column.type for name, column in made.items()}

    def ends(self, scores: Array) -> dict[str, pa.Array]:
        """Return the ends of the intervals of (n,) scores as columns by name; none where no
        interval was asked for."""
        if self._interval is None:
            return {}
        group = np.searchsorted(self._interval.edges, scores, side="right")
        errors = (self._interval.below, self._interval.above)
        low, high = (self._answers.of(scores + np.array(of_each)[group]) for of_each in errors)
        found: dict[str, pa.Array] = {}
        for name in numbers_of(self.model.some_answer()):
            ends = low[name].to_numpy(), high[name].to_numpy()
            found[f"{name}_{ENDS[0]}"] = pa.array(np.minimum(*ends))
            found[f"{name}_{ENDS[1]}"] = pa.array(np.maximum(*ends))
        return found

    def score(
        self, columns: Mapping[str, pa.Array], rows: int, read_row: RowReader | None = None
    ) -> Answered:
        """Return the outcome of `rows` rows whose fields are `columns`. A field without a column
        has its default. `read_row` gives the JSON value of a row, where the columns do not say all.
        Raises ArithmeticError where the model gives no finite number."""
        whole = read_row is None
        read_row = read_row or _row_reader(columns)
        if self._features is None or not rows:
            return self._by_row(np.arange(rows), rows, read_row)
        values, kept, doubts = self._read(columns, rows)
        groups, odd = self._features.of(values)
        if kept is None and len(groups) == 1 and groups[0].places is None:
            return self._by_column(groups[0].features, values)
        found = []
        for places, features in groups:
            some = values
            if places is not None:
                some = {name: value.at(places) for name, value in values.items()}
            answered = self._by_column(features, some)
            found.append(replace(answered, rows=_within(kept, places, len(answered.scores))))
        if kept is None:
            others = odd
        else:
            others = np.sort(np.concatenate([np.delete(np.arange(rows), kept), kept[odd]]))
        rejected, left = self._refusals.of(others, doubts, columns, read_row, whole=whole)
        by_row = self._by_row(left, rows, read_row)
        return _merged([*found, by_row], rejected, rows)

    def _read(
        self, columns: Mapping[str, pa.Array], rows: int
    ) -> tuple[dict[str, Values], Array | None, dict[str, Mask]]:
        """Return the fields of the rows of which every rule is sure, these rows' places (None: all
        of them), and by field the rows of which its rule is not sure."""
        assert self._fields is not None  # noqa: S101  # for the type checker
        found: dict[str, Values] = {}
        doubts: dict[str, Mask] = {}
        for name, field in self._fields.items():
            if name in columns:
                found[name] = field.read(columns[name])
            else:
                found[name] = field.constant(self._defaults[name], rows)
            sure = found[name].sure
            if sure is not None:
                doubts[name] = ~sure
        if not doubts:
            return found, None, doubts
        kept = np.flatnonzero(~np.logical_or.reduce([*doubts.values()]))
        return {name: value.at(kept) for name, value in found.items()}, kept, doubts

    def _by_column(self, features: Mapping[str, Column], values: Mapping[str, Values]) -> Answered:
        assert self._scorer is not None and self._fields is not None  # noqa: S101, PT018  # for the type checker
        found, unseen = self._scorer.score(features)
        scores: Array = found.max(axis=1) if self.model.classes else found
        if len(scores):
            self.predictor.check([float(scores.min()), float(scores.max())])
        new = _unseen_lists(features, unseen, self._separator, len(scores))
        beyond = _beyond_lists(self.predictor.ranges, self._fields, values, len(scores))
        return Answered(None, scores, self._answers.of(found), new, beyond, ())

    def _by_row(self, places: Array, rows: int, read_row: RowReader) -> Answered:
        valid: list[int] = []
        scores: list[float] = []
        answers: list[Mapping[str, Any]] = []
        rejected: list[Rejected] = []
        for start in range(0, len(places), _SLICE):
            values = {place: read_row(place) for place in places[start : start + _SLICE].tolist()}
            try:
                scored = self.predictor.many([*values.values()])
            except InvalidRecords:
                found = self._rejected(values)
                rejected += found
                for row in found:
                    del values[row.row]
                scored = self.predictor.many([*values.values()])
            valid += values
            scores += scored.scores
            answers += scored.answers
        unseen = pa.array([a.get("unseen", ()) for a in answers], pa.list_(pa.string()))
        beyond = pa.array([a.get("beyond", ()) for a in answers], pa.list_(pa.string()))
        whole = None if len(valid) == rows else np.array(valid, dtype=np.int64)
        columns = columns_of(answers) if answers else self._answers.none
        return Answered(whole, np.array(scores), columns, unseen, beyond, rejected)

    def _rejected(self, values: Mapping[int, Any]) -> list[Rejected]:
        found = []
        for place, value in values.items():
            try:
                self.predictor.reader.one(value)
            except InvalidRecords as error:
                found.append(Rejected(place, error.errors))
        return found

    @property
    def _separator(self) -> str:
        return str(getattr(self.predictor.scorer, "separator", "="))

    def _prove(self) -> None:
        golden = [self.model.example, *(line.record for line in self.predictor.manifest.golden)]
        fields = [name for name in self.model.record.model_fields if all(name in g for g in golden)]
        columns = {name: pa.array([record[name] for record in golden]) for name in fields}
        got = self.score(columns, len(golden))
        expected = self.predictor.many(golden)
        same = got.rows is None and got.scores.tolist() == expected.scores
        answers = pa.table(columns_of(expected.answers)).to_pylist()
        if not same or pa.table(dict(got.answers)).to_pylist() != answers:
            raise ArithmeticError(
                f"model '{self.model.name}' {self.predictor.version}: columns are not scored as "
                "records are"
            )


def _row_reader(columns: Mapping[str, pa.Array]) -> RowReader:
    return lambda row: {name: plain(column[row].as_py()) for name, column in columns.items()}


def _unseen_lists(
    features: Mapping[str, Column], unseen: Mapping[str, Mask], separator: str, rows: int
) -> pa.Array:
    """Return for each row the names of the categories that training never saw."""
    if not unseen:
        offsets: Array = np.zeros(rows + 1, dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array([], pa.string()))
    texts, places = [], []
    for name, column in features.items():
        if name in unseen:
            at = np.flatnonzero(unseen[name])
            coded = pa.array(column.codes(at)).dictionary_encode()
            choices = column.choices or ()
            names = [f"{name}{separator}{choices[code]}" for code in coded.dictionary.to_pylist()]
            texts.append(pa.array(names, pa.string()).take(coded.indices))
            places.append(at)
    counts: Array = np.zeros(rows, dtype=np.int32)
    for new in unseen.values():
        counts += new
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    in_order = texts[0]
    if len(texts) > 1:
        order = np.argsort(np.concatenate(places), kind="stable")
        in_order = pa.concat_arrays(texts).take(pa.array(order))
    return pa.ListArray.from_arrays(pa.array(offsets), in_order)


def _beyond_lists(
    ranges: Ranges, fields: Mapping[str, Field], values: Mapping[str, Values], rows: int
) -> pa.Array:
    """Return for each row the numbers that lie beyond those of the training."""
    found: dict[int, list[str]] = {}
    for name, (low, high) in ranges.of.items():
        field, numbers = fields[name], values[name].direct
        if isinstance(field, Coded):
            by_code = [value is not None and not low <= value <= high for value in field.choices]
            there = np.flatnonzero(np.array(by_code, dtype=bool)[numbers])
            texts = [worded(name, field.choices[code]) for code in numbers[there].tolist()]
        else:
            outside = (numbers < low) | (numbers > high)
            if (absent := values[name].absent) is not None:
                outside &= ~absent
            there = np.flatnonzero(outside)
            texts = [worded(name, number) for number in numbers[there].tolist()]
        for place, text in zip(there.tolist(), texts, strict=True):
            found.setdefault(place, []).append(text)
    counts: Array = np.zeros(rows + 1, dtype=np.int32)
    for place, texts in found.items():
        counts[place + 1] = len(texts)
    texts_in_order = [text for place in sorted(found) for text in found[place]]
    offsets = pa.array(np.cumsum(counts, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(texts_in_order, pa.string()))


def _within(kept: Array | None, places: Array | None, rows: int) -> Array:
    """Return the places of n rows that are those at `places` (None: all) of those that were
    `kept` (None: all)."""
    if kept is None:
        return np.arange(rows) if places is None else places
    return kept if places is None else kept[places]


def _merged(parts: Sequence[Answered], rejected: Sequence[Rejected], rows: int) -> Answered:
    """Return the outcome of all rows from those of some of them, and from those that are
    `rejected`."""
    rejected = [*rejected, *(one for part in parts for one in part.rejected)]
    some = [part for part in parts if len(part.scores)] or [parts[0]]
    if len(some) == 1:  # as nearly always: what no rule is sure of is not valid
        return replace(some[0], rejected=rejected)
    valid = [np.arange(rows) if part.rows is None else part.rows for part in some]
    places = np.concatenate(valid)
    order = pa.array(np.argsort(places, kind="stable"))
    answers = {
        name: pa.concat_arrays([part.answers[name] for part in some]).take(order)
        for name in some[0].answers
    }
    unseen = pa.concat_arrays([part.unseen for part in some]).take(order)
    beyond = pa.concat_arrays([part.beyond for part in some]).take(order)
    scores = np.concatenate([part.scores for part in some])[order.to_numpy()]
    whole = None if len(places) == rows else np.sort(places)
    return Answered(whole, scores, answers, unseen, beyond, rejected)
