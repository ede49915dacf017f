"""What is counted of predictions, by model and by version."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from scoring.errors import InvalidRecords
from scoring.metrics import board, buckets
from scoring.metrics.places import OTHER, ROWS, Places
from scoring.metrics.store import Store
from scoring.predictor import Predictor
from scoring.record import Record


class Meter:
    """Counts for one version of one model, in the row of whatever process it is asked in."""

    def __init__(self, store: Store, entered: board.Board, all_of: Places, predictor: Predictor):
        places = all_of.models[predictor.model.name]
        self.predictor = predictor
        self._store = store
        self._places = places
        self._all = all_of
        name = predictor.model.name
        self._cell, self._generation = entered.enter(
            name,
            predictor.version,
            predictor.manifest.sha256,
            trained=predictor.manifest.created.timestamp(),
            training=buckets.spread(
                [*places.numeric, predictor.model.target], predictor.manifest.profile
            ),
        )
        self._seconds = all_of.seconds[name,]
        self._rows = all_of.rows[name,]
        self._output = all_of.output[name,]
        self._numbers = [
            (field, found.bounds, found.first, found.total)
            for field in places.numeric
            for found in [all_of.inputs[name, field]]
        ]
        self._choices = [(group.of, group.places) for group in all_of.choices[name]]
        self._count = places.cells + self._cell * board.CELL_WIDTH + board.COUNT
        one = self._rows.first + bisect_left(ROWS, 1)
        each = (self._count, one, self._rows.total)
        of_time = (self._seconds.bounds, self._seconds.first, self._seconds.total)
        of_score = (self._output.bounds, self._output.first, self._output.total)
        self._of_one = (each, *of_time, *of_score)
        self._unknown = {c: all_of.unknown[name, c] for c in (*places.categories, OTHER)}
        self._separator = getattr(predictor.scorer, "separator", "=")
        self._marked: object = None
        self.mark()

    def mark(self) -> None:
        """Says in this process's row that the version serves here, unless one loaded later does."""
        row = self._store.row
        values, cell, serving = row.values, self._count - board.COUNT, self._places.serving
        with row.lock:
            if values[cell + board.GENERATION] != self._generation:
                values[cell + board.BASE] = values[cell + board.COUNT]
                values[cell + board.GENERATION] = self._generation
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
        """Counts one request's predictions, which took `seconds`; the three are of one length."""
        row = self._store.row
        if row is not self._marked:
            self.mark()
        if len(records) != 1:
            self._many(records, scores, answers, seconds)
            return
        # from here on, every look-up counts: this is done for every request
        values = row.values
        record = vars(records[0])
        score = scores[0]
        find = bisect_left
        each, times, first_time, sum_time, made, first_made, sum_made = self._of_one
        with row.lock:
            for place in each:
                values[place] += 1.0
            values[first_time + find(times, seconds)] += 1.0
            values[sum_time] += seconds
            values[first_made + find(made, score)] += 1.0
            values[sum_made] += score
            for field, bounds, first, total in self._numbers:
                number = record[field]
                values[first + find(bounds, number)] += 1.0
                values[total] += number
            for of, places in self._choices:
                values[places[of(record)]] += 1.0
            if "unseen" in answers[0]:
                for place in self._unseen(answers):
                    values[place] += 1.0

    def refused(self, error: InvalidRecords) -> None:
        """Counts the bad fields of a request, by field and reason."""
        name = self._places.model.name
        found: Counter[int] = Counter([self._all.refused[name,]])
        for line in error.errors:
            field = line.field.rpartition("].")[2]
            field = field if field in self._places.schema else OTHER
            found[self._all.errors[name, field, line.reason]] += 1
        self._add(found)

    def _many(
        self,
        records: Sequence[Record],
        scores: Sequence[float],
        answers: Sequence[Mapping[str, Any]],
        seconds: float,
    ) -> None:
        """Adds up first: the lock is not to be held for as long as many records take."""
        count = len(records)
        sums: Counter[int] = Counter({self._count: count})
        # a Counter takes floats too, only its type does not say so
        totals: dict[int, float] = {self._rows.total: count, self._seconds.total: seconds}
        sums[self._rows.first + bisect_left(self._rows.bounds, count)] += 1
        sums[self._seconds.first + bisect_left(self._seconds.bounds, seconds)] += 1
        sums.update(_spread(self._output.first, self._output.bounds, scores))
        totals[self._output.total] = sum(scores)
        rows = [vars(record) for record in records]
        for field, bounds, first, total in self._numbers:
            numbers = [row[field] for row in rows]
            sums.update(_spread(first, bounds, numbers))
            totals[total] = sum(numbers)
        for of, places in self._choices:
            for found, times in Counter(map(of, rows)).items():
                sums[places[found]] += times
        sums.update(self._unseen(answers))
        self._add(sums)
        self._add(totals)

    def _unseen(self, answers: Sequence[Mapping[str, Any]]) -> list[int]:
        """Gives the place to be counted of each category that training never saw."""
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
            for place, more in found.items():
                values[place] += more


def _spread(first: int, bounds: Sequence[float], numbers: Sequence[float]) -> dict[int, int]:
    """Gives how many of `numbers` fall into each bucket, by its place."""
    ordered = sorted(numbers)
    ends = [*(bisect_right(ordered, bound) for bound in bounds), len(ordered)]
    return {first + at: end - begin for at, (begin, end) in enumerate(pairwise([0, *ends]))}
