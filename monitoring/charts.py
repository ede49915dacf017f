"""Charts of a report's page, as SVG without script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from monitoring.compare import Comparison
from monitoring.metrics import Calibrated
from monitoring.performance import Group

_SHOWN: Final = 24  # bins of a chart
_WIDTH: Final = 560
_HEIGHT: Final = 200
_LEFT: Final = 60  # of the axis


def distributions(one: Comparison) -> str:
    """Return the bins of a field, those of the window beside the reference's; nothing where they
    were not compared."""
    if one.difference is None:
        return ""
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
        f"{_drawn(f'shares of {one.field}', height, bars)}{rest}"
    )


def over_time(windows: Sequence[Group]) -> str:
    """Return the main metric of each window with its interval; nothing of a single one."""
    points = [
        (one.name, m.value, m.low, m.high)
        for one in windows
        for m in one.metrics
        if m.metric in ("rmse", "brier")
    ]
    if len(points) < 2:
        return ""
    low, high = _span([v for _, _, a, b in points for v in (a, b)])
    step = (_WIDTH - _LEFT - 20) / max(len(points) - 1, 1)
    marks = []
    for place, (name, value, a, b) in enumerate(points):
        x = _LEFT + 10 + place * step
        ends = _y(max(a, low), low, high), _y(min(b, high), low, high)
        marks.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}" '
            f'stroke="#1f4e87"/><circle cx="{x:.1f}" cy="{_y(value, low, high):.1f}" r="4" '
            f'fill="#1f4e87"><title>{escape(name)}: {value:.4g}</title></circle>'
        )
    ends_of = f'<text x="{_LEFT}" y="{_HEIGHT + 18}">{escape(points[0][0])}</text>'
    ends_of += (
        f'<text x="{_WIDTH}" y="{_HEIGHT + 18}" text-anchor="end">{escape(points[-1][0])}</text>'
    )
    return _drawn("the error by window", _HEIGHT + 24, [_axis(low, high), *marks, ends_of])


def calibration(bins: Sequence[Calibrated]) -> str:
    """Return the mean truth over the mean score, beside the line on which both are equal."""
    low, high = _span([v for one in bins for v in (one.score, one.actual)])
    width = _WIDTH - _LEFT - 20

    def x(value: float) -> float:
        return _LEFT + 10 + width * (value - low) / (high - low)

    marks = [
        f'<line x1="{x(low):.1f}" y1="{_y(low, low, high):.1f}" x2="{x(high):.1f}" '
        f'y2="{_y(high, low, high):.1f}" stroke="#767676" stroke-dasharray="4"/>'
    ]
    for one in bins:
        ends = _y(max(one.low, low), low, high), _y(min(one.high, high), low, high)
        marks.append(
            f'<line x1="{x(one.score):.1f}" x2="{x(one.score):.1f}" y1="{ends[0]:.1f}" '
            f'y2="{ends[1]:.1f}" stroke="#1f4e87"/><circle cx="{x(one.score):.1f}" '
            f'cy="{_y(one.actual, low, high):.1f}" r="4" fill="#1f4e87"/>'
        )
    return _drawn("truth over score", _HEIGHT + 4, [_axis(low, high), *marks])


def _span(values: Sequence[float]) -> tuple[float, float]:
    finite = [v for v in values if abs(v) != float("inf")] or [0.0]
    low, high = min(finite), max(finite)
    return (low, high) if high > low else (low - 1, high + 1)


def _y(value: float, low: float, high: float) -> float:
    return 10 + (_HEIGHT - 20) * (high - value) / (high - low)


def _axis(low: float, high: float) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_LEFT}" y1="10" y2="{_HEIGHT - 10}" stroke="#767676"/>'
        f'<text x="0" y="18">{high:.4g}</text><text x="0" y="{_HEIGHT - 8}">{low:.4g}</text>'
    )


def _drawn(label: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<div class="chart" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<svg role="img" aria-label="{escape(label)}" width="{_WIDTH}" '
        f'height="{height}">{"".join(parts)}</svg></div>'
    )
