"""What the service has counted since it started, from its metrics, as a page shows it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from scoring.engine import Predictors
from scoring.predictor import Predictor
from serving.fields import fields
from serving.pages.numbers import number

_MOST: Final = 8  # bars

Samples = Mapping[str, Sequence[Sample]]


class Bar(NamedTuple):
    """A line of a chart: `share` is its size relative to the largest, 0 to 100."""

    label: str
    amount: str
    share: float


class ModelToday(NamedTuple):
    """What was counted of one model."""

    name: str
    title: str
    versions: Sequence[Bar]
    refused: Sequence[Bar]  # by field and reason
    unseen: Sequence[Bar]  # by feature


class Today(NamedTuple):
    """What was counted of requests for predictions, and of each model."""

    since: datetime
    workers: str
    requests: str
    others: str  # requests for anything else
    median: str  # within which half of the requests were answered
    slowest: str  # within which 99 of 100 were
    statuses: Sequence[Bar]
    latency: Sequence[Bar]
    models: Sequence[ModelToday]


def today(metrics: Iterable[Metric], predictors: Predictors) -> Today:
    """Return what the service's metrics say."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in (sample for family in metrics for sample in family.samples):
        found[sample.name].append(sample)
    statuses = _summed(_predictions(found["http_requests_total"]), "status")
    every = sum(sample.value for sample in found["http_requests_total"])
    asked = sum(statuses.values())
    within = _within(_predictions(found["http_request_duration_seconds_bucket"]))
    return Today(
        since=datetime.fromtimestamp(_only(found["process_start_time_seconds"]), UTC),
        workers=number(int(_only(found["service_workers"]))),
        requests=number(int(asked)),
        others=number(int(every - asked)),
        median=_time(within, 0.5),
        slowest=_time(within, 0.99),
        statuses=_bars(sorted(statuses.items())),
        latency=_bars(_steps(within)),
        models=[_model(predictor, found) for predictor in predictors],
    )


def _model(predictor: Predictor, found: Samples) -> ModelToday:
    name, known = predictor.model.name, fields(predictor.model)

    def own(metric: str) -> list[Sample]:
        return [sample for sample in found[metric] if sample.labels["model"] == name]

    refused: Counter[str] = Counter()
    for sample in own("model_validation_errors_total"):
        field = sample.labels["field"]
        title = known[field].title if field in known else field
        refused[f"{title}: {sample.labels['reason']}"] += int(sample.value)
    return ModelToday(
        name,
        predictor.model.title,
        _bars(_summed(own("model_predictions_total"), "version").items()),
        _bars(refused.most_common(_MOST)),
        _bars(_summed(own("model_unknown_category_total"), "feature").most_common(_MOST)),
    )


def _predictions(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples of the routes that predict."""
    found = []
    for sample in samples:
        route = sample.labels["route"]
        if route.startswith("/predict") or route == "/invocations" or route.endswith("/infer"):
            found.append(sample)
    return found


def _summed(samples: Iterable[Sample], label: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for sample in samples:
        counts[sample.labels[label]] += int(sample.value)
    return counts


def _only(samples: Sequence[Sample]) -> float:
    return samples[0].value if samples else 0.0


def _within(samples: Iterable[Sample]) -> list[tuple[float, int]]:
    """Return how many requests were answered within each bound, in seconds, over all routes."""
    counts: Counter[float] = Counter()
    for sample in samples:
        counts[float(sample.labels["le"])] += int(sample.value)
    return sorted(counts.items())


def _steps(within: Sequence[tuple[float, int]]) -> list[tuple[str, int]]:
    """Return how many requests took how long, without the empty ends."""
    steps, before, least = [], 0, 0.0
    for bound, count in within:
        top = f"to {_milliseconds(bound)}" if bound != float("inf") else "and more"
        steps.append((f"{_milliseconds(least)} {top}", count - before))
        before, least = count, bound
    filled = [place for place, (_, count) in enumerate(steps) if count]
    return steps[filled[0] : filled[-1] + 1] if filled else []


def _time(within: Sequence[tuple[float, int]], share: float) -> str:
    """Return the least bound within which so many were answered; empty where none was."""
    every = within[-1][1] if within else 0
    for bound, count in within:
        if every and count >= share * every and bound != float("inf"):
            return _milliseconds(bound)
    return f"more than {_milliseconds(within[-2][0])}" if every else ""


def _milliseconds(seconds: float) -> str:
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(1000 * seconds)} ms"


def _bars(counted: Iterable[tuple[str, int]]) -> list[Bar]:
    """Return a line for each that was counted at all."""
    some = [(label, count) for label, count in counted if count]
    largest = max((count for _, count in some), default=1)
    return [Bar(label, number(count), 100 * count / largest) for label, count in some]
