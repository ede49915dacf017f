"""Whether groups of people, or of anything else, are answered alike: rates and errors by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monitoring import metrics
from monitoring.drift import MIN_ROWS, false_discoveries_held, rate_differs
from monitoring.metrics import Measured, Sums
from monitoring.outcomes import Outcomes
from monitoring.performance import Group
from scoring.profiles.numbers import Array

_MOST: Final = 50  # groups that are shown, those of most rows


@dataclass(frozen=True)
class Fairness:
    """The groups of a field, and which of them differ from all others beyond chance."""

    field: str
    metrics: Sequence[str]  # names, in the order in which they are shown
    groups: Sequence[Group]  # most rows first
    apart: Sequence[str]  # names of groups
    ratio: float | None  # of the smallest rate said to the largest; None of a number

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        if not self.groups:
            return "no predictions are kept that have it"
        what = "rates" if "said" in self.metrics else "errors"
        words = f"no group's {what} differ from all others' beyond chance"
        if self.apart:
            some = ", ".join(self.apart[:5]) + (", ..." if len(self.apart) > 5 else "")
            words = f"the {what} of {some} differ from all others' beyond chance"
        if self.ratio is not None:
            words += f"; the smallest rate is {self.ratio:.0%} of the largest"
        return words

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "field": self.field,
            "sentence": self.sentence,
            "apart": list(self.apart),
            "ratio": self.ratio,
            "groups": [one.as_json() for one in self.groups],
        }


def by_field(some: Outcomes, field: str, threshold: float | None) -> Fairness:
    """Return rates and errors by the categories of a field, which have so many rows that they say
    something; errors are of those whose truth is known. `threshold` is None of a number.

    Of a class: how often it is said, true positive rate, false positive rate, Brier score, bias. Of
    a number: mean prediction, RMSE, bias.
    """
    names = ("mean", "rmse", "bias") if threshold is None else (
        "said", "true_positive_rate", "false_positive_rate", "brier", "bias")  # fmt: skip
    if field not in some.segments:
        return Fairness(field, names, [], [], None)
    codes, categories = some.segments[field]
    rows = np.bincount(codes[codes >= 0], minlength=len(categories))
    often = [int(code) for code in np.argsort(-rows, kind="stable") if rows[code] >= MIN_ROWS]
    often = often[:_MOST]
    groups = [Group(field, categories[code], int(rows[code]), _measured(some, codes == code,
                    threshold)) for code in often]  # fmt: skip
    ratio = None
    if threshold is None:
        p = _of_errors(some, codes, often, len(categories))
    else:
        said = some.score >= threshold
        p = [_of_rates(said, codes == code) for code in often]
        rates = [one.metrics[0].value for one in groups]
        most = max(rates, default=0.0)
        ratio = min(rates) / most if most else None
    held = false_discoveries_held(p)
    apart = [one.name for one, beyond in zip(groups, held, strict=True) if beyond]
    return Fairness(field, names, groups, apart, ratio)


def _measured(some: Outcomes, inside: Array, threshold: float | None) -> list[Measured]:
    known = inside & ~np.isnan(some.actual)
    score, actual = some.score[known], some.actual[known]
    sums = metrics.by_group(np.zeros(len(score), np.int64), 1, score, actual)[0]
    if threshold is None:
        found = [metrics.mean("mean", some.score[inside])]
        return found + (sums.metrics(is_class=False) if sums.rows else [])
    found = [metrics.share("said", int((some.score[inside] >= threshold).sum()), int(inside.sum()))]
    for name, true in (("true_positive_rate", 1.0), ("false_positive_rate", 0.0)):
        of = actual == true
        if of.any():
            found.append(metrics.share(name, int((score[of] >= threshold).sum()), int(of.sum())))
    return found + (sums.metrics(is_class=True) if sums.rows else [])


def _of_rates(said: Array, inside: Array) -> float:
    n, m = int(inside.sum()), int((~inside).sum())
    return rate_differs(int(said[inside].sum()), n, int(said[~inside].sum()), m)


def _of_errors(some: Outcomes, codes: Array, often: Sequence[int], many: int) -> list[float]:
    known = ~np.isnan(some.actual)
    sums = metrics.by_group(codes[known], many, some.score[known], some.actual[known])
    whole = Sums(
        sum(one.rows for one in sums), sum(one.error for one in sums),
        sum(one.squared for one in sums), sum(one.fourth for one in sums),
    )  # fmt: skip
    return [sums[code].unlike(whole.without(sums[code])) for code in often]
