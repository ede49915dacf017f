"""What is counted of predictions, by model and by version."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from operator import itemgetter
from typing import Any, Final

from scoring.errors import InvalidRecords
from scoring.metrics import board, buckets
from scoring.metrics.layout import Labels, Layout
from scoring.metrics.store import Store
from scoring.predictor import Predictor
from scoring.record import Record

OTHER: Final = "_other"
REASONS: Final = ("missing", "type", "range", "choice", "repeated", "other")
ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
SECONDS: Final = (
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1, 2.5, 5, 10,
)  # fmt: skip
_MOST_COMBINATIONS: Final = 256  # counted by one addition; each takes a number of every row


class ModelPlaces:
    """Where a row keeps what is counted of one model; the same for all its versions."""

    def __init__(self, predictor: Predictor, serving: int) -> None:
        self.model: Final = predictor.model
        self.profile = predictor.manifest.profile
        self.schema = predictor.model.record.model_json_schema()["properties"]
        self.serving = serving  # a gauge: the generation of the version that serves; the next
        # is when it was loaded
        self.cells = 0
        self.numeric = [n for n, f in self.schema.items() if f.get("type") in ("integer", "number")]
        self.choices = {n: _choices(f) for n, f in self.schema.items() if _choices(f)}
        example = self.model.features(self.model.record.model_validate(self.model.example))
        self.categories = [name for name, value in example.items() if isinstance(value, str)]


class Combinations:
    """Counts several categories by one addition: there is a place for each combination of theirs,
    and how often one was there is the sum of those it is in."""

    def __init__(self, layout: Layout, choices: Mapping[str, Mapping[object, str]]) -> None:
        self.of = itemgetter(*choices)  # gives a record's values; of one field, its value itself
        self.places: dict[object, int] = {}
        self.labels: list[tuple[int, list[Labels]]] = []  # by place, (field, category) of each
        for values in product(*choices.values()):
            place = layout.more(1)
            self.places[values if len(values) > 1 else values[0]] = place
            pairs = zip(choices.items(), values, strict=True)
            self.labels.append((place, [(field, texts[value]) for (field, texts), value in pairs]))


def _groups(choices: Mapping[str, dict[object, str]]) -> list[dict[str, dict[object, str]]]:
    """Gives the fields in groups of not too many combinations each."""
    found: list[dict[str, dict[object, str]]] = []
    combinations = _MOST_COMBINATIONS
    for field, texts in choices.items():
        if combinations * len(texts) > _MOST_COMBINATIONS:
            found.append({})
            combinations = 1
        found[-1][field] = texts
        combinations *= len(texts)
    return found


class Places:
    """The places of every model's series."""

    def __init__(self, layout: Layout, models: Sequence[ModelPlaces]) -> None:
        self.models = {places.model.name: places for places in models}
        names = list(self.models)
        for places in models:
            places.cells = layout.more(board.CELLS * board.CELL_WIDTH)
        self.seconds = layout.histogram(
            "model_prediction_duration_seconds",
            "From a request's JSON to its answer, by request.",
            ("model",),
            {(name,): SECONDS for name in names},
        )
        self.rows = layout.histogram(
            "model_batch_rows",
            "Records in one request.",
            ("model",),
            {(name,): ROWS for name in names},
        )
        self.output = layout.histogram(
            "model_output",
            "What was predicted: the target's value, or a probability.",
            ("model",),
            {(p.model.name,): buckets.of_output(p.model, p.profile) for p in models},
        )
        self.inputs = layout.histogram(
            "model_input",
            "What was predicted for: a record's numbers.",
            ("model", "field"),
            {
                (p.model.name, field): buckets.of_input(field, p.schema[field], p.profile)
                for p in models
                for field in p.numeric
            },
        )
        self.choices = {
            places.model.name: [Combinations(layout, group) for group in _groups(places.choices)]
            for places in models
        }
        self.errors = layout.counter(
            "model_validation_errors",
            "Bad fields of records that were refused, as the answers list them.",
            ("model", "field", "reason"),
            ((p.model.name, f, r) for p in models for f in (*p.schema, OTHER) for r in REASONS),
        )
        self.refused = layout.counter(
            "model_requests_refused",
            "Requests with a record that is not valid.",
            ("model",),
            [(name,) for name in names],
            shown=[(name,) for name in names],
        )
        self.unknown = layout.counter(
            "model_unknown_category",
            "Categories that are valid and that training never saw.",
            ("model", "feature"),
            ((p.model.name, c) for p in models for c in (*p.categories, OTHER)),
            shown=[(p.model.name, c) for p in models for c in p.categories],
        )


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
        bounds, first = self._output.bounds, self._output.first
        sums.update(first + bisect_left(bounds, score) for score in scores)
        totals[self._output.total] = sum(scores)
        rows = [vars(record) for record in records]
        for field, bounds, first, total in self._numbers:
            numbers = [row[field] for row in rows]
            sums.update(first + bisect_left(bounds, number) for number in numbers)
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


def _choices(field: Mapping[str, Any]) -> dict[object, str]:
    """Gives the values that a field's schema lists, and how each is written in a label."""
    if field.get("type") == "boolean":
        return {True: "true", False: "false"}
    if field.get("type") != "string":
        return {}
    listed = [field["const"]] if "const" in field else field.get("enum", [])
    return {value: value for value in listed}
