"""The slots of every model's series: what is counted of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import product
from operator import itemgetter
from typing import Any, Final

from pydantic.fields import FieldInfo

from scoring.observers import buckets, versions
from scoring.predictor import Predictor
from scoring.shared_memory.layout import OTHER, Labels, Layout
from scoring.values.field_parts import parts_of
from scoring.values.field_schemas import choices_of, field_schemas

REASONS: Final = ("missing", "type", "range", "choice", "repeated", "other")
ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
SECONDS: Final = (
    1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1, 2.5, 5, 10,
)  # fmt: skip
_MOST_COMBINATIONS: Final = 256  # counted by one addition; each takes a number of every row


class SeriesOfModel:
    """What is counted of one model; the same for all its versions."""

    def __init__(self, layout: Layout, predictor: Predictor) -> None:
        self.model: Final = predictor.model
        self.profile = predictor.manifest.profile
        self.schema = field_schemas(predictor.model.record)
        # the generation of the version that serves in a process; the next slot: when it was loaded
        self.serving = layout.process_slots(2)
        self.cells = layout.slots(versions.CELLS * versions.CELL_WIDTH)
        fields = predictor.model.record.model_fields
        listed = {name: _choices(fields[name], flat) for name, flat in self.schema.items()}
        self.choices = {name: texts for name, texts in listed.items() if texts}
        self.numeric = [
            name
            for name, flat in self.schema.items()
            if flat.get("type") in ("integer", "number") and name not in self.choices
        ]
        example = self.model.features(self.model.record.model_validate(self.model.example))
        self.categories = [name for name, value in example.items() if isinstance(value, str)]
        described = [*self.numeric, self.model.target]
        layout.document(versions.document_bytes(self.model.name, described))


class Combinations:
    """Counts several categories by one addition.

    There is a slot for each combination of them; how often a category occurred is the sum over the
    combinations that it is a part of.
    """

    def __init__(self, layout: Layout, choices: Mapping[str, Mapping[object, str]]) -> None:
        self.of = itemgetter(*choices)  # vars(record)'s values; of one field, its value itself
        self.fields = tuple(choices)
        self.slots: dict[object, int] = {}
        self.labels: list[tuple[int, list[Labels]]] = []  # slot, (field, category) of each
        for values in product(*choices.values()):
            slot = layout.slots(1)
            self.slots[values if len(values) > 1 else values[0]] = slot
            pairs = zip(choices.items(), values, strict=True)
            self.labels.append((slot, [(field, texts[value]) for (field, texts), value in pairs]))


def _groups(choices: Mapping[str, dict[object, str]]) -> list[dict[str, dict[object, str]]]:
    """Return the fields in groups of not too many combinations each."""
    groups: list[dict[str, dict[object, str]]] = []
    combinations = _MOST_COMBINATIONS
    for field, texts in choices.items():
        if combinations * len(texts) > _MOST_COMBINATIONS:
            groups.append({})
            combinations = 1
        groups[-1][field] = texts
        combinations *= len(texts)
    return groups


class ModelSeries:
    """The series of every model."""

    def __init__(self, layout: Layout, predictors: Sequence[Predictor]) -> None:
        models = [SeriesOfModel(layout, predictor) for predictor in predictors]
        self.models = {series.model.name: series for series in models}
        names = list(self.models)
        self.seconds = layout.histogram(
            "model_prediction_duration_seconds",
            "Seconds from a request's JSON to its answers, by request.",
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
            "Predicted values, or probabilities of the positive or the most likely class.",
            ("model",),
            {(p.model.name,): buckets.of_output(p.model, p.profile) for p in models},
        )
        self.inputs = layout.histogram(
            "model_input",
            "Numbers in the records predicted for.",
            ("model", "field"),
            {
                (p.model.name, field): buckets.of_input(field, p.schema[field], p.profile)
                for p in models
                for field in p.numeric
            },
        )
        self.choices = {
            series.model.name: [Combinations(layout, group) for group in _groups(series.choices)]
            for series in models
        }
        self.errors = layout.counter(
            "model_validation_errors",
            "Invalid fields of refused records, as the answers list them.",
            ("model", "field", "reason"),
            ((p.model.name, f, r) for p in models for f in (*p.schema, OTHER) for r in REASONS),
        )
        self.refused = layout.counter(
            "model_requests_refused",
            "Requests refused because a record is not valid (422).",
            ("model",),
            [(name,) for name in names],
            shown=[(name,) for name in names],
        )
        self.unknown = layout.counter(
            "model_unknown_category",
            "Valid categories that the training data does not contain.",
            ("model", "feature"),
            ((p.model.name, c) for p in models for c in (*p.categories, OTHER)),
            shown=[(p.model.name, c) for p in models for c in p.categories],
        )
        self.classes = layout.counter(
            "model_class",
            "Predictions whose most likely class this is, of models of more than two.",
            ("model", "class"),
            ((p.model.name, c) for p in models for c in p.model.classes),
            shown=[(p.model.name, c) for p in models for c in p.model.classes],
        )
        self.log_lines = layout.counter(
            "prediction_log_lines",
            "Lines of the prediction log, written or dropped.",
            ("result",),
            [("written",), ("dropped",)],
            shown=[("written",), ("dropped",)],
        )


def _choices(field: FieldInfo, schema: Mapping[str, Any]) -> dict[object, str]:
    """Return the values that a field's resolved schema lists, each with its text in a label.

    They are as a record has them: members of an Enum, None.
    """
    kind = parts_of(field).kind
    found: dict[object, str]
    if schema.get("type") == "boolean":
        found = {True: "true", False: "false"}
    elif isinstance(kind, type) and issubclass(kind, Enum):
        found = {member: str(member.value) for member in kind}
    else:
        found = {value: str(value) for value in choices_of(schema)}
    return {**found, None: "null"} if found and schema.get("nullable") else found
