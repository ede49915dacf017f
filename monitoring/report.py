"""A report: what changed, how sure that is, and what state that makes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from monitoring.compare import SCORE, Comparison, compare, significant
from monitoring.drift import MIN_ROWS
from monitoring.entries import Only, Training
from monitoring.estimate import Expected
from monitoring.fairness import Fairness, by_field
from monitoring.outcomes import outcomes
from monitoring.performance import (
    EARLIER,
    Past,
    Realised,
    expected_of,
    past_estimates,
    realised,
)
from monitoring.refused import Refused, refused
from monitoring.since import Segment, Since, most_in, since
from monitoring.store import Store
from monitoring.windows import Against, Reference, Window, hour_of, reference, shown, window
from scoring.models import discover

State = Literal["quiet", "warning", "alarm"]
STATUS: Final[dict[State, int]] = {"quiet": 0, "warning": 10, "alarm": 20}

_SILENT: Final = 1e-6  # probability of no prediction at all, were nothing wrong
_USUAL_DAYS: Final = 7
_ODD_SHARE: Final = 0.01  # of ids that come again, or times of the future


@dataclass(frozen=True)
class Finding:
    """Something that should be known, in a sentence."""

    state: State
    sentence: str
    field: str | None = None
    since: Since | None = None
    most_in: Segment | None = None  # of the prediction

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = {
            "state": self.state, "field": self.field, "sentence": self.sentence
        }  # fmt: skip
        if self.since:
            found["since"] = str(self.since.day)
        return found | ({"most_in": self.most_in.as_json()} if self.most_in else {})


@dataclass(frozen=True)
class Report:
    """Everything that a page, a file or a metric is made of."""

    model: str
    window: Window
    reference: Reference | None
    findings: Sequence[Finding]  # what is worst first
    comparisons: Sequence[Comparison]
    expected: Expected | None = None  # of the performance
    past: Sequence[Past] = ()  # how far such estimates were off, by metric
    realised: Realised | None = None  # where the truth is known
    fairness: Sequence[Fairness] = ()
    refused: Refused | None = None  # where the log has refused requests
    only: str | None = None  # the version, where it is of one alone
    left_out: int = 0  # predictions of other versions then
    since: str | None = None  # when it came into this state, where `watch` makes it

    @property
    def state(self) -> State:
        """The worst of the findings."""
        return max((one.state for one in self.findings), key=STATUS.__getitem__, default="quiet")

    @property
    def rows(self) -> int:
        """The predictions of the window."""
        return self.window.rows

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        told = self.expected
        return {
            "model": self.model,
            "state": self.state,
            "since": self.since,
            "window": {
                "from": shown(self.window.first),
                "until": shown(self.window.end),
                "rows": self.rows,
                "only": self.only,
                "left_out": self.left_out,
                "versions": {version: rows for (version, _), rows in self.window.versions.items()},
            },
            "against": self.reference.named if self.reference else None,
            "findings": [one.as_json() for one in self.findings],
            "performance": [one.as_json() for one in told.metrics] if told else [],
            "expected_confusion": told.confusion._asdict() if told and told.confusion else None,
            "past_estimates": [one.as_json() for one in self.past],
            "realised": self.realised.as_json() if self.realised else None,
            "fairness": [one.as_json() for one in self.fairness],
            "refused": self.refused.as_json() if self.refused else None,
            "comparisons": [one.as_json() for one in self.comparisons],
        }


def report(
    store: Store,
    model: str,
    length: int,
    end: int,
    against: Against,
    fairness: Sequence[str] = (),
    only: Only | None = None,
) -> Report:
    """Return the report of the `length` hours before the hour `end`, with rates and errors by each
    category of the fields `fairness`; with `only`, of that version's predictions, compared with its
    own. Whether there are any at all is asked of all versions, and refused requests have none.

    What differs in this window alone is a warning; what differed in the one before as well, each
    from its own reference, is an alarm.
    """
    whole, store = store, store if only is None else store.of(only)
    now = window(store, model, end - length, end)
    findings = _silence(whole, model, now)
    findings += _odd(now)
    turned_away = None if only else refused(store, model, now.first, now.end)
    findings += _refused(turned_away, store, model, now)
    left_out = sum(whole.rows(model, now.first, now.end).values()) - now.rows if only else 0
    if only and left_out and now.profile is None:
        findings.append(Finding("warning", f"no prediction is of version {only.version}"))
    compared_with = reference(store, model, now, against) if now.profile else None
    comparisons: list[Comparison] = []
    if now.profile is not None and now.profile.rows < MIN_ROWS:
        findings.append(
            Finding("quiet", f"too few rows: {now.profile.rows}; {MIN_ROWS} are needed to compare")
        )
    elif now.profile is not None and compared_with is None:
        findings.append(Finding("quiet", _nothing(against)))
    elif compared_with is not None:
        comparisons = compare(compared_with, now)
        findings += _differences(comparisons, store, model, now, compared_with, against)
    trainings = store.trainings(model)
    known = next((trainings[d] for _, d in now.versions if d in trainings), None)
    threshold = threshold_of(model, known)
    every = outcomes(store, model, now.first - EARLIER * length, now.end, untold=bool(fairness))
    real = realised(every, now, known, threshold) if every else None
    fair = [by_field(every.between(now.first, now.end), name, threshold) for name in fairness
            ] if every else []  # fmt: skip
    told, past = None, []
    if now.profile:
        told = expected_of(known, now.profile.score, threshold)
        past = past_estimates(every, now, known, threshold) if every else []
    findings += _performance(real)
    findings.sort(key=lambda one: -STATUS[one.state])
    return Report(
        model, now, compared_with, findings, comparisons, told, past, real, fair,
        turned_away, only.version if only else None, left_out,
    )  # fmt: skip


def _before(store: Store, model: str, now: Window, against: Against) -> set[tuple[str, str]]:
    """Return what the window before this one differed in."""
    before = window(store, model, now.first - (now.end - now.first), now.first)
    compared_with = reference(store, model, before, against) if before.profile else None
    if compared_with is None:
        return set()
    return significant(compare(compared_with, before))


def _differences(
    comparisons: list[Comparison], store: Store, model: str, now: Window, than: Reference,
    against: Against,
) -> list[Finding]:  # fmt: skip
    differ = significant(comparisons)
    if not differ:
        return []
    before = _before(store, model, now, against)
    found = []
    for one in sorted(comparisons, key=lambda one: -one.size):
        key = one.field, one.question
        if key in differ:
            day = since(store, model, now, one)
            most = None
            if key == (SCORE, "drift"):
                most = most_in(store, model, now, than)
            words = [one.sentence, *map(str, filter(None, (day, most)))]
            words += ["so it was in the window before"] if key in before else []
            state: State = "alarm" if key in before else "warning"
            found.append(Finding(state, "; ".join(words), one.field, day, most))
    return found


def threshold_of(model: str, training: Training | None) -> float | None:
    """Return from which score on the class is said; None of a number."""
    found = discover()[model]
    if found.task == "regression":
        return None
    return found.threshold if training is None or training.threshold is None else training.threshold


def _performance(real: Realised | None) -> list[Finding]:
    if real is None or not real.is_worse:
        return []
    words = "; it was worse in the window before, too" if real.again else ""
    return [Finding("alarm" if real.again else "warning", real.sentence + words)]


def _later(store: Store, model: str, now: Window) -> str:
    """Say how many came after the window, whose last hour is one that is over."""
    if not (later := store.rows(model, now.end, now.end + 24)):
        return ""
    until = shown(max(later) + 1).replace(" ", "T")
    until = "now" if max(later) == hour_of(None) else until
    return f" before {shown(now.end)}, {sum(later.values()):,} since: --until {until} includes them"


def _silence(store: Store, model: str, now: Window) -> list[Finding]:
    """Say where there is nothing at the end of the window that the week before would expect."""
    rows = store.rows(model, now.end - 24 * (_USUAL_DAYS + 1), now.end)
    if not rows:
        return [
            Finding("warning", f"no predictions of '{model}' are known{_later(store, model, now)}")
        ]
    silent = 0
    while silent < now.end - now.first and not rows.get(now.end - 1 - silent):
        silent += 1
    if not silent:
        return []
    days = [
        sum(rows.get(now.end - 24 * day - 1 - hour, 0) for hour in range(silent))
        for day in range(1, _USUAL_DAYS + 1)
        if now.end - 24 * day > min(rows)
    ]
    usual = sum(days) / len(days) if days else 0.0
    if not usual or min(days) == 0 or math.exp(-usual) > _SILENT:
        return []
    sentence = f"no predictions for {silent} h, usual are {usual:.0f}"
    return [Finding("alarm", sentence)]


def _odd(now: Window) -> list[Finding]:
    if now.profile is None:
        return []
    words = {
        "again": "of the predictions have an id that came before in the same file",
        "future": "of the predictions are of the future: a clock is ahead",
    }
    found = []
    for name, what in words.items():
        share = now.profile.tallies.get(name, 0) / now.profile.rows
        if share > _ODD_SHARE:
            found.append(Finding("warning", f"{share:.1%} {what}"))
    return found


def _refused(found: Refused | None, store: Store, model: str, now: Window) -> list[Finding]:
    if found is None or not found.is_more:
        return []
    before = refused(store, model, now.first - (now.end - now.first), now.first)
    again = found.before is not None and before is not None and before.is_more
    words = "; so it was in the window before" if again else ""
    return [Finding("alarm" if again else "warning", found.sentence + words)]


def _nothing(against: Against) -> str:
    if against == "training":
        return (
            "no profile of the version's training is known: name its artifact by "
            "`profile --artifact`, or compare with --against previous"
        )
    return "there are no predictions to compare with yet"
