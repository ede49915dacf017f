"""From a publisher, a folder or files to the parts of a training, which no part shares rows with.

    one file           dated: by time, else by each row's digest       learned | watched | held out
    several, dated     the newest file is held out, the one before it watched
    several, not dated all of them, by each row's digest

Watched rows end an early stopping and are learned from as well (`--refit`). A row's digest puts it
into the same part whenever it comes again: what one training held out, no later one learns from.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.buckets import downloaded, is_bucket
from pipeline.config import Data
from pipeline.errors import PipelineError, UsageError
from pipeline.records import Runs
from pipeline.steps import Result, Work
from scoring.models import Model
from scoring.process.atomic_files import write_file

if TYPE_CHECKING:
    import pandas as pd

PARTS: Final = ("learned", "watched", "held_out")
_ENDS: Final = (".parquet", ".csv", ".csv.gz")


def files_of(given: Sequence[str | Path], objects: Path) -> list[Path]:
    """Return the data files that these names mean, ordered by name: files, folders, and prefixes of
    a bucket, whose objects are kept in `objects`. Raises UsageError where there is none, or one is
    of another kind."""
    found: list[Path] = []
    for name in given:
        path = Path(name)
        if is_bucket(str(name)):
            found += downloaded(str(name), objects, _usable)
        elif path.is_dir():
            inside = [p for p in sorted(path.rglob("*")) if p.is_file() and _usable(p)]
            if not inside:
                raise UsageError(f"the folder {path} holds no .parquet, .csv or .csv.gz file")
            found += inside
        elif not path.is_file():
            raise UsageError(f"there is no file {path}")
        elif not _usable(path):
            raise UsageError(f"{path}: a .parquet, .csv or .csv.gz file is expected")
        else:
            found.append(path)
    return sorted(dict.fromkeys(found), key=lambda path: path.name)


def _usable(path: Path) -> bool:
    return path.name.lower().endswith(_ENDS) and path.name[0] not in "._"


def months_until(last: str, before: int) -> list[str]:
    """Return a month and so many before it, the oldest first."""
    year, month = (int(part) for part in last.split("-"))
    places = [year * 12 + month - 1 - back for back in range(before, -1, -1)]
    return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in places]


def newest(model: Model, config: Data, runs: Runs) -> list[Path]:
    """Return the files of the newest published months, downloaded where they are not there.

    Where the publisher was asked less than `ask_hours` ago, the answer of then holds. Raises
    UsageError for a model whose data nobody publishes by month, PipelineError where none can be
    had.
    """
    asked = runs.folder / "asked.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        known = json.loads(asked.read_bytes())
        files = [Path(name) for name in known["files"]]
        old = not 0 <= time.time() - known["time"] < config.ask_hours * 3600
        if not old and known["wanted"] == config.model_dump_json() and all(map(Path.exists, files)):
            return files
    last = f"{datetime.now(UTC):%Y-%m}"
    reasons = []
    for month in reversed(months_until(last, config.late_months)):
        try:
            files = by_month(model, config, month)
            _ask_again(months_until(month, config.months), config, runs)
        except UsageError:
            raise
        except PipelineError as error:
            reasons.append(str(error))
            continue
        told = {"time": time.time(), "wanted": config.model_dump_json(),
                "files": [str(file) for file in files]}  # fmt: skip
        write_file(asked, json.dumps(told, indent=1).encode() + b"\n")
        return files
    raise PipelineError(
        f"none of the last {config.late_months + 1} months can be had: {reasons[-1]}"
    )


def _ask_again(names: list[str], config: Data, runs: Runs) -> None:
    """Download those months anew that were published with other bytes since."""
    from training import errors, months

    place = runs.folder / "published.json"
    known: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(place.read_bytes())
    try:
        found = months.asked_again(names, known, config.mirror)
    except errors.TrainingError as error:
        raise PipelineError(str(error)) from None
    if found != known:
        write_file(place, json.dumps(found, indent=1).encode() + b"\n")


def by_month(model: Model, config: Data, last: str) -> list[Path]:
    """Return the files of a month and those before it, downloaded where they are not there. Raises
    as `newest` does."""
    from training import errors, months, sources  # pandas takes a second to import

    if not sources.source_of(model).months:
        raise UsageError(
            f"nobody publishes data of '{model.name}' by month: name files or a folder with --data"
        )
    names = months_until(last, config.months)
    try:
        # the newest first: where it is not there, nothing else is asked for
        newest_file = months.fetched([names[-1]], config.mirror)
        return months.fetched(names[:-1], config.mirror) + newest_file
    except errors.TrainingError as error:
        raise PipelineError(str(error)) from None


def ingest(model: Model, files: Sequence[Path], config: Data) -> Work:
    """Return the step that sorts files into the parts, and cuts where it has to."""

    def work(folder: Path) -> Result:
        from training import errors, rows

        try:
            raw, times = rows.raw_with_times(model, files[-1:])
            if times is None:
                raw, _ = rows.raw_with_times(model, files)
                parts = _cut(raw, *_by_digest(raw, config.held_out), folder)
                return {"said": "the rows are cut by each row's digest", "before": 0, **parts}
            if len(files) == 1:
                parts = _cut(raw, times, _edges(times, config.held_out, 2), folder)
                return {"said": "the rows are cut by time", "before": 0, **parts}
            said = f"{files[-1].name} is held out"
            told = {"said": said, "before": len(files) - 1,
                    "held_out": [str(files[-1].resolve())]}  # fmt: skip
            if len(files) > 2:
                learned = [str(file.resolve()) for file in files[:-2]]
                return told | {"learned": learned, "watched": [str(files[-2].resolve())]}
            raw, times = rows.raw_with_times(model, files[:1])
        except errors.TrainingError as error:
            raise PipelineError(str(error)) from None
        return told | _cut(raw, times, _edges(times, config.held_out, 1), folder)

    return work


def parts_of(found: Result, folder: Path) -> dict[str, list[Path]]:
    """Return the files of each part, of what the step said in its folder."""
    return {name: [folder / file for file in found[name]] for name in PARTS}


def _by_digest(raw: pd.DataFrame, share: float) -> tuple[Any, list[float]]:
    """Return a number of each row, from 0 to 1, and where to cut."""
    import pandas as pd

    numbers = pd.util.hash_pandas_object(raw.astype("string"), index=False) / 2**64
    return numbers, [1 - 2 * share, 1 - share]


def _edges(times: Any, share: float, cuts: int) -> list[Any]:
    return [times.quantile(1 - share * back) for back in range(cuts, 0, -1)]


def _cut(raw: pd.DataFrame, by: Any, edges: list[Any], folder: Path) -> dict[str, list[str]]:
    """Write the rows as one part more than there are edges, each beyond the one before."""
    place = sum((by > edge).astype(int) for edge in edges)
    written = {}
    for number, name in enumerate(PARTS[: len(edges) + 1]):
        rows = raw[place == number]
        texts = {column: "string" for column in rows if rows[column].dtype == object}
        rows.astype(texts).to_parquet(folder / f"{name}.parquet", index=False)
        written[name] = [f"{name}.parquet"]
    return written
