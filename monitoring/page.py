"""A report as one HTML page: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from monitoring import charts
from monitoring.compare import Comparison
from monitoring.fairness import Fairness
from monitoring.performance import Group, Realised
from monitoring.refused import Refused
from monitoring.report import Report
from monitoring.words import (
    ESTIMATES,
    NAMES,
    STATES,
    cell_of,
    estimated,
    estimates,
    expected_confusion,
    headline,
    interval,
    of_how_many,
    turned_away,
)

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
color:#1b1b1b;background:#fff}
.state{display:inline-block;padding:.1rem .6rem;border-radius:.3rem;color:#fff}
.quiet{background:#1e6b36}.warning{background:#8a5300}.alarm{background:#b3261e}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}
th{border-bottom:2px solid #444}td{border-bottom:1px solid #ccc}
svg text{font:12px system-ui,sans-serif;fill:#1b1b1b}
.chart{overflow-x:auto}
"""


def page(report: Report) -> str:
    """Return the page: what changed first, then a table, then a chart for each field."""
    title = f"{report.model}: {STATES[report.state]}"
    drifts = [one for one in report.comparisons if one.difference is not None]
    sentences = (
        "".join(
            f'<li><span class="state {one.state}">{STATES[one.state]}</span> '
            f"{escape(one.sentence)}</li>"
            for one in report.findings
        )
        or "<li>Nothing changed that is more than chance.</li>"
    )
    drawn = "".join(charts.distributions(one) for one in drifts)
    expected = f"<p>{escape(estimated(report))}</p>" if report.expected else ""
    if told := estimates(report):
        expected += _rows("expected metrics", ESTIMATES, told)
        expected += f"<p>{escape(expected_confusion(report))}</p>"
    real = _realised(report.realised) if report.realised else ""
    fair = "".join(map(_fair, report.fairness))
    refused = _refused(report.refused) if report.refused else ""
    versions = ", ".join(f"{name} ({rows})" for (name, _), rows in report.window.versions.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{escape(report.model)} <span class="state {report.state}">{STATES[report.state]}'
        f"</span></h1><p>{escape(headline(report))}</p><ul>{sentences}</ul>"
        f"{expected}{real}{fair}{refused}<h2>Every field</h2>{_table(drifts)}"
        f"<h2>Distributions</h2><p>Dark bars are the window, light ones the reference.</p>{drawn}"
        f"<h2>Versions</h2><p>{escape(versions) or 'none'}</p></main></body></html>\n"
    )


def _table(drifts: list[Comparison]) -> str:
    if not drifts:
        return "<p>Nothing was compared.</p>"
    rows = [
        [one.field, f"{one.difference.psi:.4f}", f"{one.difference.threshold:.4f}",
         f"{one.difference.divergence:.4f}", f"{one.p:.2g}"]
        for one in drifts
        if one.difference is not None
    ]  # fmt: skip
    return _rows(
        "every field", ("field", "PSI", "chance alone, up to", "Jensen-Shannon (bits)", "p"), rows
    )


def _realised(real: Realised) -> str:
    rows = [[NAMES[one.metric], f"{one.value:.4g}", f"{one.low:.4g} to {one.high:.4g}"]
            for one in real.metrics]  # fmt: skip
    parts = [
        f"<h2>How good it was</h2><p>{escape(of_how_many(real))}</p>",
        _rows("metrics", ("metric", "value", "95 % interval"), rows),
    ]
    if c := real.confusion:
        said = [["comes true", str(c.true_positive), str(c.false_negative)],
                ["does not", str(c.false_positive), str(c.true_negative)]]  # fmt: skip
        parts += [f"<h3>At the threshold {real.threshold:g}</h3>",
                  _rows("confusion", ("", "was said", "was not said"), said)]  # fmt: skip
    if lines := charts.over_time(real.windows):
        parts += ["<h3>Window by window</h3>", lines]
    parts += [
        "<h3>Truth over score</h3><p>Each point holds about a tenth of the predictions; on the "
        "dashed line the truth is on average what was said.</p>",
        charts.calibration(real.calibration),
    ]
    for title, some in (("By version", real.versions), ("More off than all others",
                                                        real.segments)):  # fmt: skip
        if some:
            parts += [f"<h3>{title}</h3>", _groups(title, some)]
    return "".join(parts)


def _fair(fair: Fairness) -> str:
    rows = [
        [one.name, str(one.rows), *(cell_of(one, name) for name in fair.metrics)]
        for one in fair.groups
    ]
    heads = (fair.field, "rows", *(NAMES[name] for name in fair.metrics))
    told = f"<h2>By {escape(fair.field)}</h2><p>{escape(fair.sentence)}.</p>"
    return told + _rows(f"by {fair.field}", heads, rows)


def _refused(found: Refused) -> str:
    rows = [[field, reason, str(records)] for field, reason, records in found.by]
    return f"<h2>Refused requests</h2><p>{escape(turned_away(found))}</p>" + _rows(
        "refused requests", ("bad field", "why", "records"), rows
    )


def _groups(label: str, some: Sequence[Group]) -> str:
    names = [NAMES[one.metric] for one in some[0].metrics]
    rows = [
        [one.name if one.by == "version" else f"{one.by} {one.name}", str(one.rows),
         *map(interval, one.metrics)]
        for one in some
    ]  # fmt: skip
    return _rows(label, ("", "rows", *names), rows)


def _rows(label: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first = "".join(f'<th scope="col">{escape(one)}</th>' if one else "<td></td>" for one in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return (
        f'<div class="chart" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>"
    )
