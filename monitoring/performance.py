"""How good the predictions were: by window, version and segment, next to what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from monitoring import metrics
from monitoring.drift import MIN_ROWS, false_discoveries_held
from monitoring.entries import Training
from monitoring.estimate import Expected, expected
from monitoring.metrics import Calibrated, Confusion, Measured, Sums
from monitoring.outcomes import Outcomes
from monitoring.windows import Window, shown
from scoring.profiles.categories import Categories
from scoring.profiles.numbers import SCALE, Array, Numbers

EARLIER: Final = 8  # windows before this one, for the line and for how far estimates were off
_LEVEL: Final = 0.01
_LEAST: Final = 1.02  # times as large an RMSE: less is not worth a word
_SEGMENTS: Final = 20  # that are named
_BOTH: Final = 2  # what a class with a threshold has


@dataclass(frozen=True)
class Group:
    """Some predictions and their metrics."""

    by: str  # window, version, or a field
    name: str
    rows: int
    metrics: Sequence[Measured]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"by": self.by, "name": self.name, "rows": self.rows,
                "metrics": [one.as_json() for one in self.metrics]}  # fmt: skip


@dataclass(frozen=True)
class Past:
    """How far the estimates of earlier windows were off, once the truth was there."""

    metric: str
    windows: int
    off: float  # mean of the sizes
    bias: float  # mean of estimate minus truth

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"metric": self.metric, "windows": self.windows, "off": self.off, "bias": self.bias}


@dataclass(frozen=True)
class Realised:
    """The performance of a window's predictions whose truth is known."""

    rows: int
    of: int  # these and those whose truth is not known
    metrics: Sequence[Measured]
    before: tuple[str, float] | None  # of what, and its RMSE or Brier score
    is_worse: bool  # than before, by more than chance and enough to matter
    calibration: Sequence[Calibrated]
    threshold: float | None
    confusion: Confusion | None
    versions: Sequence[Group]
    segments: Sequence[Group]  # that are more off than the others, beyond chance; the worst first
    again: bool = False  # it was worse in the window before this one, too
    windows: Sequence[Group] = ()  # this one and the ones before, the latest last

    @property
    def main(self) -> Measured:
        """RMSE, or of a class the Brier score."""
        return next(one for one in self.metrics if one.metric in ("rmse", "brier"))

    @property
    def sentence(self) -> str:
        """The main metric in words."""
        one = self.main
        was = f", was {self.before[1]:.4g} {self.before[0]}" if self.before else ""
        name = "RMSE" if one.metric == "rmse" else "Brier score"
        return f"{name} is {one.value:.4g} ({one.low:.4g} to {one.high:.4g}){was}"

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "rows": self.rows,
            "of": self.of,
            "metrics": [one.as_json() for one in self.metrics],
            "before": {"of": self.before[0], "value": self.before[1]} if self.before else None,
            "is_worse": self.is_worse,
            "threshold": self.threshold,
            "confusion": self.confusion._asdict() if self.confusion else None,
            "calibration": [one._asdict() for one in self.calibration],
            "windows": [one.as_json() for one in self.windows],
            "versions": [one.as_json() for one in self.versions],
            "segments": [one.as_json() for one in self.segments],
        }


def realised(
    every: Outcomes, now: Window, training: Training | None, threshold: float | None
) -> Realised | None:
    """Return the performance of the window; None where no truth of it is known.

    `every` holds the predictions of the window and of those before it; `threshold` is None of a
    number.
    """
    length = now.end - now.first
    whole = every.between(now.first, now.end)
    every = every.known
    own = every.between(now.first, now.end)
    if not len(own):
        return None
    windows = []
    for place in range(EARLIER, -1, -1):
        first = now.first - place * length
        some = every.between(first, first + length)
        if len(some):
            windows.append(Group("window", shown(first), len(some), measured(some, threshold)))
    last = every.between(now.first - length, now.first)
    before_last = before(training, every.between(0, now.first - length))
    made = assessed(own, before(training, every.between(0, now.first)), threshold)
    return replace(
        made,
        of=len(whole),
        again=_is_worse(last, before_last),
        windows=windows,
    )


def assessed(own: Outcomes, than: Before | None, threshold: float | None) -> Realised:
    """Return the performance of one or more predictions whose truth is known."""
    is_class = threshold is not None
    return Realised(
        rows=len(own),
        of=len(own),
        metrics=measured(own, threshold),
        before=than and (than.named, than.loss if is_class else sqrt(than.loss)),
        is_worse=_is_worse(own, than),
        calibration=metrics.calibration(own.score, own.actual, is_class=is_class),
        threshold=threshold,
        confusion=None
        if threshold is None
        else metrics.confusion(own.score, own.actual, threshold),
        versions=_versions(own, threshold),
        segments=_segments(own, is_class=is_class),
    )


def measured(some: Outcomes, threshold: float | None) -> list[Measured]:
    """Return the metrics of one or more predictions."""
    if threshold is None:
        return metrics.of_numbers(some.score, some.actual)
    return metrics.of_class(some.score, some.actual, threshold)


def groups(codes: Array, names: Sequence[str], own: Outcomes) -> dict[str, Sums]:
    """Return the sums of each category of a field that came."""
    sums = metrics.by_group(codes, len(names), own.score, own.actual)
    return {name: one for name, one in zip(names, sums, strict=True) if one.rows}


class Before(NamedTuple):
    """What a window's error is compared with."""

    named: str
    loss: float  # mean square of the error
    rows: int  # which tell it


def before(training: Training | None, earlier: Outcomes | None = None) -> Before | None:
    """Return what a window is compared with: the training, else the windows before; None where
    nothing is known of either."""
    if training and training.profile.performance and training.profile.performance.whole.rows:
        whole = training.profile.performance.whole
        return Before("on the training's held-out rows", whole.squared / whole.rows, whole.rows)
    if earlier is None or len(earlier) < MIN_ROWS:
        return None
    loss = float(np.square(earlier.score - earlier.actual).mean())
    return Before("in the windows before", loss, len(earlier))


def _is_worse(some: Outcomes, than: Before | None) -> bool:
    if than is None or len(some) < MIN_ROWS:
        return False
    loss = np.square(some.score - some.actual)
    is_much = float(loss.mean()) > _LEAST**2 * than.loss
    return is_much and metrics.worse_than(loss, than.loss, than.rows) < _LEVEL


def _versions(own: Outcomes, threshold: float | None) -> list[Group]:
    codes, names = own.versions
    found = []
    for code, name in enumerate(names):
        inside = codes == code
        found.append(Group("version", name, int(inside.sum()), measured(own.of(inside), threshold)))
    return sorted(found, key=lambda one: -one.rows)


def _segments(own: Outcomes, *, is_class: bool) -> list[Group]:
    """Return the categories whose predictions are more off than all others, worst first."""
    found: list[tuple[float, str, str, Sums]] = []
    for field, (codes, names) in own.segments.items():
        by_name = groups(codes, names, own)
        whole = Sums(*map(sum, zip(*by_name.values(), strict=True))) if by_name else None
        for name, one in by_name.items():
            if whole is None or one.rows < MIN_ROWS or one.rows == whole.rows:
                continue
            found.append((one.unlike(whole.without(one)), field, name, one))
    held = false_discoveries_held([one[0] for one in found], _LEVEL)
    loss = float(np.square(own.score - own.actual).mean())
    worse = [one for one, beyond in zip(found, held, strict=True)
             if beyond and one[3].squared / one[3].rows > loss]  # fmt: skip
    worse.sort(key=lambda one: -one[3].squared / one[3].rows)
    return [Group(field, name, one.rows, one.metrics(is_class=is_class))
            for _, field, name, one in worse[:_SEGMENTS]]  # fmt: skip


def past_estimates(
    every: Outcomes, now: Window, training: Training | None, threshold: float | None
) -> list[Past]:
    """Return how far the estimates of the windows before were off, by metric; nothing where no
    truth of them is known."""
    if training is None or training.profile.performance is None:
        return []
    every, length = every.known, now.end - now.first
    off: dict[str, list[float]] = {}
    for place in range(1, EARLIER + 1):
        some = every.between(now.first - place * length, now.first - (place - 1) * length)
        if len(some) < MIN_ROWS:
            continue
        # of the same rows, so that it is not told by which truths have come
        scores = Numbers.of(some.score, training.profile.scales.get("", SCALE))
        told = expected_of(training, scores, threshold)
        came = {one.metric: one.value for one in measured(some, threshold)}
        for one in told.metrics if told else ():
            if one.metric in came:
                off.setdefault(one.metric, []).append(one.expected - came[one.metric])
    return [Past(name, len(each), float(np.mean(np.abs(each))), float(np.mean(each)))
            for name, each in off.items()]  # fmt: skip


def expected_of(
    training: Training | None, scores: Numbers, threshold: float | None
) -> Expected | None:
    """Return what the training lets expect of predictions with these scores; None where it tells
    nothing."""
    known = training.profile if training else None
    if known is None or known.performance is None:
        return None
    is_class = not isinstance(known.target, Numbers)
    if isinstance(known.target, Categories) and len(known.target.counts) > _BOTH:
        threshold = None  # of several classes the score is how likely the one is that is said
    return expected(known.performance, known.score, scores, is_class=is_class, threshold=threshold)
