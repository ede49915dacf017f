"""Where a row keeps what is counted of predictions: the places of every model's series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from operator import itemgetter
from typing import Any, Final

from scoring.metrics import board, buckets
from scoring.metrics.layout import Labels, Layout
from scoring.predictor import Predictor

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


def _choices(field: Mapping[str, Any]) -> dict[object, str]:
    """Gives the values that a field's schema lists, and how each is written in a label."""
    if field.get("type") == "boolean":
        return {True: "true", False: "false"}
    if field.get("type") != "string":
        return {}
    listed = [field["const"]] if "const" in field else field.get("enum", [])
    return {value: value for value in listed}
