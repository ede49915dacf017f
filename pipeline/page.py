"""The runs of a model as one HTML page: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from pipeline.records import Record

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
color:#1b1b1b;background:#fff}
.state{display:inline-block;padding:.1rem .6rem;border-radius:.3rem;color:#fff;background:#555}
.promoted{background:#1e6b36}.waiting{background:#8a5300}.refused,.failed{background:#b3261e}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
th{border-bottom:2px solid #444}td{border-bottom:1px solid #ccc}
"""


def history(model: str, runs: Sequence[Record]) -> str:
    """Return the page, the newest run first."""
    title = f"{escape(model)}: {len(runs)} runs"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{''.join(map(_run, reversed(runs))) or '<p>No run yet.</p>'}</main></body></html>\n"
    )


def _run(record: Record) -> str:
    state = escape(record["state"])
    steps = "".join(
        f"<tr><td>{escape(step['name'])}</td><td>{escape(step['state'])}"
        f"{' before' if step['reused'] else ''}</td><td>{escape(step['said'])}</td></tr>"
        for step in record["steps"]
    )
    files = "".join(
        f"<tr><td>{escape(one['file'])}</td><td><code>{escape(one['sha256'][:12])}</code></td></tr>"
        for one in record["inputs"]
    )
    return (
        f'<section><h2>{escape(record["run"])} <span class="state {state}">{state}</span></h2>'
        f"<p>{escape(record['why'])}</p><p>{escape(record['said'] or 'at work')}</p>"
        f"<table><thead><tr><th>Step</th><th>State</th><th>Result</th></tr></thead>"
        f"<tbody>{steps}</tbody></table><table><thead><tr><th>Input</th><th>sha256</th></tr>"
        f"</thead><tbody>{files}</tbody></table></section>"
    )
