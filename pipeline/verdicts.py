"""Which files `check` refused, by their digest: no later run learns from one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import records
from pipeline.records import Runs

Input = dict[str, Any]  # a file and its digest, as a run's record has them


def refused(runs: Runs) -> dict[str, str]:
    """Return the digests of the files that were checked last with a refusal, each with that run."""
    found: dict[str, str] = {}
    for record in runs.all():
        checks = (one["state"] for one in record["steps"] if one["name"] == "check")
        verdict = next(checks, None)
        if (sha256 := record.get("held_out")) is None or verdict is None:
            continue
        if verdict == records.REFUSED:
            found[sha256] = record["run"]
        elif verdict == "done":
            found.pop(sha256, None)
    return found


def apart(inputs: Sequence[Input], runs: Runs) -> tuple[list[Input], str]:
    """Return the inputs that may be learned from and the newest, which is checked anew; and, in
    words, the others, with the runs that refused them."""
    no = refused(runs)
    kept = [one for one in inputs[:-1] if one["sha256"] not in no] + list(inputs[-1:])
    out = [
        f"{Path(one['file']).name}, which the check of run {no[one['sha256']]} refused"
        for one in inputs[:-1]
        if one["sha256"] in no
    ]
    return kept, f"without {', '.join(out)}" if out else ""
