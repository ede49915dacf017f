"""A report in Markdown."""

from __future__ import annotations

from monitoring.fairness import Fairness
from monitoring.metrics import Measured, named
from monitoring.performance import Group, Past, Realised
from monitoring.refused import Refused
from monitoring.report import Report
from monitoring.windows import shown

NAMES = {
    "rmse": "RMSE", "mae": "MAE", "bias": "bias", "auc": "AUC", "brier": "Brier score",
    "said": "said", "true_positive_rate": "true positive rate",
    "false_positive_rate": "false positive rate", "mean": "mean prediction",
    "accuracy": "accuracy", "precision": "precision", "recall": "recall",
}  # fmt: skip
STATES = {"quiet": "quiet", "warning": "WARNING", "alarm": "ALARM"}


def markdown(report: Report) -> str:
    """Return the report as Markdown: sentences first, then a line for each comparison."""
    window = report.window
    lines = [f"# {report.model}: {STATES[report.state]}", "", headline(report), ""]
    lines += [f"- {STATES[one.state]}: {one.sentence}" for one in report.findings]
    if not report.findings:
        lines.append("- Nothing changed that is more than chance.")
    if report.expected:
        lines += ["", estimated(report), *_estimates(report)]
    if report.refused:
        lines += refused(report.refused)
    if report.realised:
        lines += realised(report.realised)
    for one in report.fairness:
        lines += fair(one)
    drifts = [one for one in report.comparisons if one.difference is not None]
    if drifts:
        lines += ["", "| field | PSI | chance alone, up to | Jensen-Shannon | p |",
                  "|---|---|---|---|---|"]  # fmt: skip
        lines += [
            f"| {one.field} | {one.difference.psi:.4f} | {one.difference.threshold:.4f} "
            f"| {one.difference.divergence:.4f} | {one.p:.2g} |"
            for one in drifts
            if one.difference is not None
        ]
    versions = ", ".join(f"{name} ({rows})" for (name, _), rows in window.versions.items())
    if versions:
        lines += ["", f"Versions: {versions}."]
    return "\n".join(lines) + "\n"


def headline(report: Report) -> str:
    """Return the window and its reference in a sentence."""
    window = report.window
    of = f" of version {report.only}" if report.only is not None else ""
    span = f"from {shown(window.first)} to {shown(window.end)} UTC"
    against = f", against {report.reference.named}" if report.reference else ""
    left = f" {report.left_out} of other versions are left out." if report.left_out else ""
    return f"{report.rows} predictions{of} {span}{against}.{left}"


def estimated(report: Report) -> str:
    """Return the estimate in words, and how far the ones before were off; nothing without one."""
    if report.expected is None:
        return ""
    found = report.expected.main
    words = (
        f"{NAMES[found.metric]} is expected at {found.expected:.3g} +- {found.within:.2g}, was "
        f"{found.was:.3g} on held-out rows"
    )
    past = past_of(report, found.metric)
    if past is None:
        return f"{words} (estimated: no truth of earlier windows is known to compare it with)."
    return (
        f"{words}. Over the {past.windows} windows before, such estimates were off by "
        f"{past.off:.2g} on average ({past.bias:+.2g}, estimate less truth)."
    )


ESTIMATES = ("expected", "value", "was", "past estimates were off by")


def estimates(report: Report) -> list[list[str]]:
    """Return a line for each metric of a class that is expected, by these ESTIMATES."""
    lines = []
    for one in report.expected.metrics[1:] if report.expected else ():
        past = past_of(report, one.metric)
        off = f"{past.off:.2g} ({past.windows} windows)" if past else "not known"
        value = f"{one.expected:.3g} +- {one.within:.2g}"
        lines.append([NAMES[one.metric], value, f"{one.was:.3g}", off])
    return lines


def expected_confusion(report: Report) -> str:
    """Return what is expected to come true of what is said; nothing of a number."""
    c = report.expected.confusion if report.expected else None
    if c is None:
        return ""
    return (f"Expected at the threshold: {c.true_positive} true positives, {c.false_positive} "
            f"false positives, {c.false_negative} false negatives, {c.true_negative} true "
            "negatives.")  # fmt: skip


def past_of(report: Report, metric: str) -> Past | None:
    """Return how far past estimates of a metric were off; None where no truth tells it."""
    return next((one for one in report.past if one.metric == metric), None)


def _estimates(report: Report) -> list[str]:
    if not (lines := estimates(report)):
        return []
    rows = [ESTIMATES, ["---"] * len(ESTIMATES), *lines]
    return ["", *(f"| {' | '.join(row)} |" for row in rows), "", expected_confusion(report)]


def turned_away(found: Refused) -> str:
    """Return how many requests were refused."""
    return f"{found.requests} requests were refused, {found.share:.2%} of all."


def refused(found: Refused) -> list[str]:
    """Return the refused requests as lines of Markdown."""
    lines = ["", turned_away(found), "", "| bad field | why | records |", "|---|---|---|"]
    return lines + [f"| {field} | {reason} | {records} |" for field, reason, records in found.by]


def interval(one: Measured) -> str:
    """Return a metric and between what it lies."""
    return f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})"


def of_how_many(real: Realised) -> str:
    """Return how many predictions the performance is of."""
    return f"The truth of {real.rows} of {real.of} predictions is known: {real.sentence}."


def realised(real: Realised) -> list[str]:
    """Return the performance as lines of Markdown."""
    lines = ["", of_how_many(real), "", "| metric | value | 95 % interval |", "|---|---|---|"]
    lines += [
        f"| {NAMES[one.metric]} | {one.value:.4g} | {one.low:.4g} to {one.high:.4g} |"
        for one in real.metrics
    ]
    if c := real.confusion:
        lines += ["", f"At the threshold {real.threshold:g}: {c.true_positive} true positives, "
                  f"{c.false_positive} false positives, {c.false_negative} false negatives, "
                  f"{c.true_negative} true negatives."]  # fmt: skip
    if real.segments:
        lines += ["", "More off than all others:", ""]
        lines += [f"- {group(one)}" for one in real.segments[:5]]
    if len(real.versions) > 1:
        lines += ["", "By version:", "", *(f"- {group(one)}" for one in real.versions)]
    return lines


def fair(one: Fairness) -> list[str]:
    """Return the groups of a field as lines of Markdown."""
    lines = ["", f"By {one.field}: {one.sentence}.", ""]
    names = [NAMES[name] for name in one.metrics]
    lines += [f"| {one.field} | rows | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for group_ in one.groups:
        cells = [cell_of(group_, name) for name in one.metrics]
        lines.append(f"| {group_.name} | {group_.rows} | {' | '.join(cells)} |")
    return lines


def cell_of(one: Group, metric: str) -> str:
    """Return a group's metric and its interval, nothing where it has none."""
    found = named(one.metrics, metric)
    return interval(found) if found else ""


def group(one: Group) -> str:
    """Return a group and its first metric in words."""
    first = next(m for m in one.metrics if m.metric in ("rmse", "brier"))
    name = one.name if one.by == "version" else f"{one.by} {one.name}"
    return f"{name} ({one.rows} rows): {NAMES[first.metric]} {interval(first)}"
