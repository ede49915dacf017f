"""What a run did: `run.json`, the summary at the end, and a file of metrics."""

from __future__ import annotations

import getpass
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batch.outputs.storage import write_local
from batch.versions import versions


def totals(entries: Sequence[Mapping[str, Any]], bounds: Sequence[float]) -> dict[str, Any]:
    """Return the ledger's lines added up."""
    reasons: Counter[str] = Counter()
    truths: Counter[str] = Counter()
    counts = [0] * (len(bounds) + 1)
    for entry in entries:
        reasons.update(entry["reasons"])
        truths.update(entry["truths"])
        counts = [a + b for a, b in zip(counts, entry["scores"]["counts"], strict=True)]
    rows = sum(entry["rows"] for entry in entries)
    scored = sum(entry["scored"] for entry in entries)
    rejected = sum(entry["rejected"] for entry in entries)
    unseen = sum(entry["unseen"] for entry in entries)
    some = [entry["scores"] for entry in entries if entry["scored"]]
    return {
        "rows": rows,
        "scored": scored,
        "rejected": rejected,
        "rejected_share": rejected / rows if rows else 0.0,
        "rejected_by_reason": dict(reasons.most_common()),
        "unseen": unseen,
        "unseen_share": unseen / scored if scored else 0.0,
        "scores": {
            "mean": sum(score["sum"] for score in some) / scored if scored else None,
            "min": min((score["min"] for score in some), default=None),
            "max": max((score["max"] for score in some), default=None),
            "bounds": list(bounds),
            "counts": counts,
        },
        "true": dict(truths),
    }


def environment() -> dict[str, Any]:
    """Return who runs this, where, with which versions and commit."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return {
        "user": user,
        "host": socket.gethostname(),
        "commit": _commit(),
        "versions": versions(),
    }


def _commit() -> str | None:
    """Return the checkout's commit; None where there is none, as in an image."""
    head = Path(__file__).resolve().parents[1] / ".git"
    try:
        if head.is_file():  # a worktree
            head = Path(head.read_text().partition(":")[2].strip())
        text = (head / "HEAD").read_text().strip()
        if not text.startswith("ref: "):
            return text
        common = head / "commondir"
        base = head / common.read_text().strip() if common.exists() else head
        return (base / text[5:]).read_text().strip()
    except OSError:
        return None


def summary(run: Mapping[str, Any], output: str) -> str:
    """Return the table that is printed at the end."""
    of = run["totals"]
    seconds = run["seconds"]
    lines = [
        ("model", f"{run['model']['name']} {run['model']['version']}"),
        ("rows", f"{of['rows']:,} in {seconds:.1f} s ({of['rows'] / max(seconds, 1e-9):,.0f}/s)"),
        ("scored", f"{of['scored']:,}"),
        ("rejected", f"{of['rejected']:,} ({of['rejected_share']:.2%})"),
        *((f"  {reason}", f"{count:,}") for reason, count in _first(of["rejected_by_reason"])),
        ("unseen", f"{of['unseen']:,} ({of['unseen_share']:.2%})"),
    ]
    scores = of["scores"]
    if scores["mean"] is not None:
        spread = f"{scores['mean']:.4g} ({scores['min']:.4g} to {scores['max']:.4g})"
        lines.append(("score", spread))
    lines += [(f"{name} is true", f"{count:,}") for name, count in of["true"].items()]
    lines.append(("output", output))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in lines)


def _first(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    return list(reasons.items())[:5]


def write_metrics(path: Path, run: Mapping[str, Any] | None, model: str, status: int) -> None:
    """Write how a run ended in Prometheus's text format. `run` is what `run.json` holds; None where
    the run did not get so far."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest  # seldom asked for

    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(name, text, ["model"], registry=registry).labels(model).set(value)

    gauge("batch_last_end_timestamp_seconds", "When the last run ended", time.time())
    gauge("batch_last_status", "Exit status of the last run", status)
    if run:
        of = run["totals"]
        gauge("batch_rows", "Rows of the last finished run", of["rows"])
        gauge("batch_scored_rows", "Rows that were scored", of["scored"])
        gauge("batch_rejected_rows", "Rows that are not valid", of["rejected"])
        gauge("batch_unseen_rows", "Rows with a category that training never saw", of["unseen"])
        gauge("batch_duration_seconds", "Duration of the last finished run", run["seconds"])
        finished = datetime.fromisoformat(run["finished"]).timestamp()
        gauge("batch_last_success_timestamp_seconds", "When a run last ended well", finished)
        info = Gauge("batch_model_info", "Version", ["model", "version"], registry=registry)
        info.labels(model, run["model"]["version"]).set(1)
    write_local(path, generate_latest(registry))


def now() -> str:
    """Return the moment as text, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
