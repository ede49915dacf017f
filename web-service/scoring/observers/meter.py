"""Count the predictions of one version of one model."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from scoring.errors import InvalidRecords
from scoring.observers import buckets, versions
from scoring.observers.refusals import bad_fields
from scoring.observers.series import ROWS, ModelSeries
from scoring.predictor import Predictor
from scoring.record import Record
from scoring.shared_memory.board import Board
from scoring.shared_memory.layout import OTHER
from scoring.shared_memory.store import Store
from scoring.typed_records import column
from scoring.values.shares import Shares

_LONGEST_TABLE: Final = 2000


class VersionMeter:
    """Counts for one version of one model, in the row of the process that calls it."""

    def __init__(
        self, store: Store, board: Board, series: ModelSeries, predictor: Predictor
    ) -> None:
        """Enter the version on the board, and mark it as serving in this process."""
        slots = series.models[predictor.model.name]
        self.predictor = predictor
        self._store = store
        self._slots = slots
        self._series = series
        name, trained = predictor.model.name, predictor.manifest.trained
        self._cell, self._generation = versions.enter(
            board,
            name,
            predictor.version,
            predictor.manifest.sha256,
            trained=trained.timestamp() if trained else None,
            training=buckets.spread(
                [*slots.numeric, predictor.model.target], predictor.manifest.profile
            ),
        )
        self._seconds = series.seconds[name,]
        self._rows = series.rows[name,]
        self._output = series.output[name,]
        numbers = {
            field: (field, found.bounds, found.first, found.total)
            for field in slots.numeric
            for found in [series.inputs[name, field]]
        }
        self._nullable = [field for field in numbers if slots.schema[field].get("nullable")]
        self._numbers = [found for field, found in numbers.items() if field not in self._nullable]
        self._maybe_numbers = [numbers[field] for field in self._nullable]
        self._slots_of = {
            field: [first + bisect_left(bounds, n) for n in range(span)]
            for field, bounds, first, _ in numbers.values()
            if (span := _span(slots.schema[field]))
        }
        self._choices = [(group.of, group.slots) for group in series.choices[name]]
        self._choices_of_columns = [(group.fields, group.slots) for group in series.choices[name]]
        self._count = slots.cells + self._cell * versions.CELL_WIDTH + versions.COUNT
        one = self._rows.first + bisect_left(ROWS, 1)
        each = (self._count, one, self._rows.total)
        of_time = (self._seconds.bounds, self._seconds.first, self._seconds.total)
        of_score = (self._output.bounds, self._output.first, self._output.total)
        self._of_one = (each, *of_time, *of_score)
        self._unknown = {c: series.unknown[name, c] for c in (*slots.categories, OTHER)}
        self._separator = getattr(predictor.scorer, "separator", "=")
        self._marked: object = None
        self.mark()

    def mark(self) -> None:
        """Note in this process's row that the version serves, unless one loaded later does."""
        row = self._store.row
        values, cell, serving = row.values, self._count - versions.COUNT, self._slots.serving
        with row.lock:
            if values[cell + versions.GENERATION] != self._generation:
                values[cell + versions.BASE] = values[cell + versions.COUNT]
                values[cell + versions.GENERATION] = self._generation
            loaded = self.predictor.loaded.timestamp()
            if loaded >= values[serving + 1]:
                values[serving] = self._generation
                values[serving + 1] = loaded
        self._marked = row

    def answered(
        self,
        records: Sequence[Record],
        scores: Sequence[float],
        answers: Sequence[Mapping[str, Any]],
        seconds: float,
    ) -> None:
        """Count one request's predictions, which took `seconds`; the sequences have one length."""
        row = self._store.row
        if row is not self._marked:
            self.mark()
        if len(records) != 1:
            self._many(records, scores, answers, seconds)
            return
        # every look-up counts from here on: this is done for every request
        values = row.values
        record = vars(records[0])
        score = scores[0]
        find = bisect_left
        each, times, first_time, sum_time, made, first_made, sum_made = self._of_one
        with row.lock:
            for slot in each:
                values[slot] += 1.0
            values[first_time + find(times, seconds)] += 1.0
            values[sum_time] += seconds
            values[first_made + find(made, score)] += 1.0
            values[sum_made] += score
            for field, bounds, first, total in self._numbers:
                number = record[field]
                values[first + find(bounds, number)] += 1.0
                values[total] += number
            for field, bounds, first, total in self._maybe_numbers:
                if (number := record[field]) is not None:
                    values[first + find(bounds, number)] += 1.0
                    values[total] += number
            for of, slots in self._choices:
                values[slots[of(record)]] += 1.0
            if "unseen" in answers[0]:
                for slot in self._unseen(answers):
                    values[slot] += 1.0

    def refused(self, error: InvalidRecords) -> None:
        """Count a refused request, and its bad fields by field and reason."""
        name = self._slots.model.name
        found: Counter[int] = Counter([self._series.refused[name,]])
        for (field, reason), times in bad_fields(error, self._slots.schema).items():
            found[self._series.errors[name, field, reason]] += times
        self._add(found)

    def _many(
        self,
        records: Sequence[Record],
        scores: Sequence[float],
        answers: Sequence[Mapping[str, Any]],
        seconds: float,
    ) -> None:
        """Add up first, so that the lock is not held for as long as many records take."""
        count = len(records)
        sums: Counter[int] = Counter({self._count: count})
        # a Counter takes floats too, but its type does not say so
        totals: dict[int, float] = {self._rows.total: count, self._seconds.total: seconds}
        sums[self._rows.first + bisect_left(self._rows.bounds, count)] += 1
        sums[self._seconds.first + bisect_left(self._seconds.bounds, seconds)] += 1
        sums.update(_spread(self._output.first, self._output.bounds, scores))
        totals[self._output.total] = sum(scores)
        tables: list[tuple[Iterable[Any], Any]] = []  # what is counted, and the slot of each value
        for field, bounds, first, total in (*self._numbers, *self._maybe_numbers):
            numbers = column(records, field)
            if field in self._nullable:
                numbers = [n for n in numbers if n is not None]
            if slots_of := self._slots_of.get(field):
                tables.append((numbers, slots_of))
            else:
                sums.update(_spread(first, bounds, numbers))
            totals[total] = sum(numbers)
        for fields, slots in self._choices_of_columns:
            columns = [column(records, field) for field in fields]
            tables.append((zip(*columns, strict=True) if len(columns) > 1 else columns[0], slots))
        for values, slots in tables:
            for value, times in Counter(values).items():
                sums[slots[value]] += times
        sums.update(self._unseen(answers))
        self._add(sums)
        self._add(totals)

    def _unseen(self, answers: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return a slot for each category that training never saw."""
        return [
            self._unknown.get(text.partition(self._separator)[0], self._unknown[OTHER])
            for answer in answers
            if "unseen" in answer
            for text in answer["unseen"]
        ]

    def _add(self, found: Mapping[int, float]) -> None:
        row = self._store.row
        values = row.values
        with row.lock:
            for slot, more in found.items():
                values[slot] += more


class ClassMeter(VersionMeter):
    """Counts for a model of several classes also which of them is the most likely."""

    def answered(
        self,
        records: Sequence[Record],
        scores: Sequence[float],
        answers: Sequence[Mapping[str, Any]],
        seconds: float,
    ) -> None:
        """Count one request's predictions, which took `seconds`; the sequences have one length."""
        super().answered(records, scores, answers, seconds)
        slots, name = self._series.classes, self._slots.model.name
        of = (score.most_likely for score in scores if isinstance(score, Shares))
        self._add(Counter(slots[name, label] for label in of))


def _span(field: Mapping[str, Any]) -> int:
    """Return the length of a table by the values of a whole number, 0 where that is no good."""
    low, high = field.get("minimum", -1), field.get("maximum", _LONGEST_TABLE)
    is_short = field.get("type") == "integer" and low >= 0 and high < _LONGEST_TABLE
    return int(high) + 1 if is_short else 0


def _spread(first: int, bounds: Sequence[float], numbers: Sequence[float]) -> dict[int, int]:
    """Return how many of `numbers` fall into each bucket, by its slot."""
    ordered = sorted(numbers)
    ends = [*(bisect_right(ordered, bound) for bound in bounds), len(ordered)]
    return {first + at: end - begin for at, (begin, end) in enumerate(pairwise([0, *ends]))}
