"""prometheus_client's metrics of what the models' cells, combinations and board hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from scoring.observers import versions
from scoring.observers.series import ModelSeries
from scoring.shared_memory.collector import Snapshot

FORMER: Final = "_former"

Entries = Mapping[str, versions.Entry]  # the board's document


def categories(series: ModelSeries, snapshot: Snapshot) -> Metric:
    """Return how often each category of each field was predicted for."""
    family = CounterMetricFamily(
        "model_input_category",
        "Categories in the records predicted for.",
        labels=("model", "field", "category"),
    )
    for name, groups in series.choices.items():
        counts: Counter[tuple[str, ...]] = Counter()
        for slot, labels in (entry for group in groups for entry in group.labels):
            for pair in labels:
                counts[pair] += int(snapshot.sums[slot])
        for pair, count in counts.items():
            if count:
                family.add_metric((name, *pair), count)
    return family


def predictions(series: ModelSeries, snapshot: Snapshot, entries: Entries) -> Metric:
    """Return the predictions of each version that is shown, and of all former ones together."""
    family = CounterMetricFamily(
        "model_predictions",
        "Records answered; _former: by versions before the sixteen loaded last.",
        labels=("model", "version"),
    )
    width = versions.CELL_WIDTH
    for name, entry in entries.items():
        first = series.models[name].cells
        shown = {known["generation"]: known["version"] for known in versions.shown(entry)}
        counts: dict[str, float] = dict.fromkeys(shown.values(), 0.0)
        former = 0.0
        for values in snapshot.rows:
            for cell in range(first, first + versions.CELLS * width, width):
                generation, base, count = values[cell : cell + width]
                if generation in shown:
                    counts[shown[int(generation)]] += count - base
                    former += base
                else:
                    former += count
        if former:
            counts[FORMER] = former
        for version, value in counts.items():
            family.add_metric((name, version), value)
    return family


def serving(
    series: ModelSeries, snapshot: Snapshot, entries: Entries, aliases: Mapping[str, str]
) -> Iterator[Metric]:
    """Yield which versions the living processes serve, and of which training data they are."""
    info = GaugeMetricFamily(
        "model_info",
        "1 for each version that at least one worker serves.",
        labels=("model", "version", "alias", "digest"),
    )
    loaded = GaugeMetricFamily(
        "model_loaded_timestamp_seconds",
        "Unix time at which the serving version was loaded.",
        labels=("model",),
    )
    trained = GaugeMetricFamily(
        "model_trained_timestamp_seconds",
        "Unix time at which the version loaded last was trained; absent where that is not known.",
        labels=("model",),
    )
    means = GaugeMetricFamily(
        "model_training_mean",
        "Mean of a field in the training data; _output: of the target.",
        labels=("model", "field"),
    )
    deviations = GaugeMetricFamily(
        "model_training_stddev",
        "Standard deviation of a field in the training data; _output: of the target.",
        labels=("model", "field"),
    )
    for name, entry in entries.items():
        model = series.models[name]
        generations = {values[model.serving] for values in snapshot.living}
        for version in entry["versions"]:
            if version["generation"] in generations:
                labels = (version["version"], aliases.get(name, ""), version["digest"])
                info.add_metric((name, *labels), 1)
        if times := [values[model.serving + 1] for values in snapshot.living]:
            loaded.add_metric((name,), max(times))
        if entry["trained"] is not None:
            trained.add_metric((name,), entry["trained"])
        for field, (mean, deviation) in entry["training"].items():
            field_or_output = field if field in model.schema else "_output"
            means.add_metric((name, field_or_output), mean)
            deviations.add_metric((name, field_or_output), deviation)
    yield from (info, loaded, trained, means, deviations)
