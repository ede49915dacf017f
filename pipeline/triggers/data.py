"""New data as a reason to run, and how many rows of it are new."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline import digests, records
from pipeline.records import Runs
from pipeline.run import Asked, files, inputs_of
from pipeline.shared.store import Store
from scoring.process.atomic_files import write_file

KIND: Final = "data"
_COUNTS: Final = "rows.json"  # of files by their digest

Inputs = Sequence[Mapping[str, Any]]


def look(asked: Asked, store: Store) -> None:
    """Add an event where the data holds files, or bytes, that the last run had not. Raises
    PipelineError where it cannot be looked at."""
    inputs = inputs_of(asked, files(asked))
    new = unknown(inputs, known(asked.runs))
    if new:
        names = ", ".join(Path(one["file"]).name for one in new)
        identity = digests.of_values(sorted(one["sha256"] for one in inputs))
        store.add_event(asked.model.name, KIND, f"{KIND}:{identity}", f"seen in the data: {names}")


def known(runs: Runs) -> list[dict[str, Any]]:
    """Return the inputs of the last run that finished."""
    finished = [one for one in runs.all() if one["state"] in records.FINISHED]
    return list(finished[-1]["inputs"]) if finished else []


def unknown(inputs: Inputs, before: Inputs) -> Inputs:
    """Return those of the inputs that were not there before, or had other bytes."""
    had = {one["sha256"] for one in before}
    return [one for one in inputs if one["sha256"] not in had]


def new_rows(inputs: Inputs, runs: Runs) -> int:
    """Return how many rows there are that the last run which finished had not: all of a new file,
    and those by which a changed one has grown."""
    before = known(runs)
    had = {one["file"]: one["sha256"] for one in before}
    place = runs.folder / _COUNTS
    counts: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        counts = json.loads(place.read_bytes())
    now = {one["sha256"]: counts.get(one["sha256"]) for one in inputs}
    for one in inputs:
        if now[one["sha256"]] is None:
            now[one["sha256"]] = _rows(Path(one["file"]))
    # those of the last run stay until the next has finished
    kept = {sha: count for sha, count in counts.items() if sha in had.values()}
    write_file(place, json.dumps(kept | now, indent=1).encode() + b"\n")
    found = 0
    for one in unknown(inputs, before):
        old = counts.get(had.get(one["file"], ""), 0)
        found += max(0, (now[one["sha256"]] or 0) - old)
    return found


def _rows(path: Path) -> int:
    """Return how many rows a file has, of a CSV how many lines beyond its first."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with contextlib.suppress(pa.ArrowException):  # ingest says what is wrong with it
            return int(pq.read_metadata(path).num_rows)
        return 0
    import gzip

    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        return max(0, sum(1 for line in file if line.strip()) - 1)
