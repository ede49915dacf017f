"""A report in Markdown."""

from __future__ import annotations

from monitoring.report import Report
from monitoring.windows import shown

STATES = {"quiet": "quiet", "warning": "WARNING", "alarm": "ALARM"}


def markdown(report: Report) -> str:
    """Return the report as Markdown: sentences first, then a line for each comparison."""
    window = report.window
    lines = [f"# {report.model}: {STATES[report.state]}", "", headline(report), ""]
    lines += [f"- {STATES[one.state]}: {one.sentence}" for one in report.findings]
    if not report.findings:
        lines.append("- Nothing changed that is more than chance.")
    if found := report.estimate:
        expected = f"{found.metric.upper()} is expected at {found.expected:.3g}"
        was = f"was {found.was:.3g} on held-out rows (estimated: no truth is known yet)"
        lines += ["", f"{expected} +- {found.within:.2g}, {was}."]
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
    against = f", against {report.reference.named}" if report.reference else ""
    return (
        f"{report.rows} predictions from {shown(window.first)} to {shown(window.end)} UTC{against}."
    )
