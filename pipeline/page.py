"""A model's champion, runs and what asked for them as one HTML page: no script, nothing from
elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from pipeline.records import Record
from pipeline.shared.store import Event

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
color:#1b1b1b;background:#fff}
.state{display:inline-block;padding:.1rem .6rem;border-radius:.3rem;color:#fff;background:#555}
.promoted{background:#1e6b36}.waiting{background:#8a5300}
.refused,.failed,.rolled-back{background:#b3261e}
table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:bold}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{border-bottom:2px solid #444}td{border-bottom:1px solid #ccc}
"""


def page(model: str, serves: Sequence[str], events: Sequence[Event], runs: Sequence[Record]) -> str:
    """Return the page: sentences on what serves, what asked for runs and the runs themselves, the
    newest first."""
    title = f"{escape(model)}: {len(runs)} runs"
    asked = _table(
        "What asked for a run", ("When, UTC", "Why", "What was done"),
        [(one.at, one.why, one.said or "waits") for one in reversed(events)],
    )  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{''.join(f'<p>{escape(line)}</p>' for line in serves)}{asked if events else ''}"
        f"{''.join(map(_run, reversed(runs))) or '<p>No run yet.</p>'}</main></body></html>\n"
    )


def _run(record: Record) -> str:
    state = escape(record["state"])
    steps = [
        (step["name"], step["state"] + (" before" if step["reused"] else ""), step["said"])
        for step in record["steps"]
    ]
    inputs = [(one["file"], one["sha256"][:12]) for one in record["inputs"]]
    return (
        f'<section><h2>{escape(record["run"])} <span class="state {state.replace(" ", "-")}">'
        f"{state}</span></h2>"
        f"<p>{escape(record['why'])}</p><p>{escape(record['said'] or 'at work')}</p>"
        f"{_table('Steps', ('Step', 'State', 'Result'), steps)}"
        f"{_table('Inputs', ('File', 'sha256'), inputs)}</section>"
    )


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
