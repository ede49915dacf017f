"""A report as one HTML page: no script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Final

from monitoring.compare import Comparison
from monitoring.report import Report
from monitoring.words import STATES, headline

_SHOWN: Final = 24  # bins of a chart
_WIDTH: Final = 560
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
    charts = "".join(_chart(one) for one in drifts)
    versions = ", ".join(f"{name} ({rows})" for (name, _), rows in report.window.versions.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{escape(report.model)} <span class="state {report.state}">{STATES[report.state]}'
        f"</span></h1><p>{escape(headline(report))}</p><ul>{sentences}</ul>"
        f"<h2>Every field</h2>{_table(drifts)}"
        f"<h2>Distributions</h2><p>Dark bars are the window, light ones the reference.</p>{charts}"
        f"<h2>Versions</h2><p>{escape(versions) or 'none'}</p></main></body></html>\n"
    )


def _table(drifts: list[Comparison]) -> str:
    if not drifts:
        return "<p>Nothing was compared.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(one.field)}</th><td>{one.difference.psi:.4f}</td>'
        f"<td>{one.difference.threshold:.4f}</td><td>{one.difference.divergence:.4f}</td>"
        f"<td>{one.p:.2g}</td></tr>"
        for one in drifts
        if one.difference is not None
    )
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("field", "PSI", "chance alone, up to", "Jensen-Shannon (bits)", "p")
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _chart(one: Comparison) -> str:
    assert one.difference is not None  # noqa: S101  # for the type checker
    bins = one.difference.bins
    p, q = bins.left / bins.left.sum(), bins.right / bins.right.sum()
    top = max(float(p.max()), float(q.max()))
    bars = []
    for place, name in enumerate(bins.names[:_SHOWN]):
        y = place * 26
        for share, shift, fill in ((p[place], 2, "#9db7d5"), (q[place], 12, "#1f4e87")):
            width = 360 * float(share) / top
            bars.append(
                f'<rect x="110" y="{y + shift}" width="{width:.1f}" height="9" fill="{fill}"/>'
            )
        bars.append(f'<text x="0" y="{y + 16}">{escape(name[:16])}</text>')
        bars.append(f'<text x="480" y="{y + 16}">{q[place]:.1%} / {p[place]:.1%}</text>')
    height = 26 * min(len(bins.names), _SHOWN) + 4
    more = len(bins.names) - _SHOWN
    rest = f"<p>{more} further bins are not drawn.</p>" if more > 0 else ""
    return (
        f"<h3>{escape(one.field)}</h3><p>{escape(one.sentence)}.</p>"
        f'<div class="chart" tabindex="0" role="region" aria-label="{escape(one.field)}">'
        f'<svg role="img" aria-label="shares of {escape(one.field)}" width="{_WIDTH}" '
        f'height="{height}">{"".join(bars)}</svg></div>{rest}'
    )
