"""May the candidate serve? On rows that neither it nor the champion has seen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.champions import Champion
from pipeline.config import Gate
from pipeline.errors import PipelineError, RefusedError, UsageError
from pipeline.steps import Result, Work
from scoring.errors import ArtifactError
from scoring.models import Model
from scoring.predictor import Predictor
from scoring.process.atomic_files import write_file

if TYPE_CHECKING:
    import pandas as pd

_TIMED: Final = 500  # calls of one record each, of which the median counts
_HIGHER: Final = frozenset({"auc", "accuracy", "precision", "recall", "r2", "f1_macro"})
_GROUPS: Final = 4  # of a number, where it is a segment: quarters of the rows


@dataclass(frozen=True)
class Asked:
    """One question of the gate and its answer."""

    what: str
    seen: float | None
    allowed: float | None
    passed: bool
    said: str


def gate(
    model: Model,
    artifact: Path,
    held_out: Sequence[Path],
    inputs: Mapping[str, str],
    champion: Champion | None,
    config: Gate,
) -> Work:
    """Return the step that compares; `gate.json` has every question. `inputs` are the names of the
    run's files by their digests."""

    def work(folder: Path) -> Result:
        import orjson

        from training import rows

        try:
            candidate = Predictor.from_folder(artifact, model)  # proves the golden records
        except ArtifactError as error:
            raise RefusedError([f"the candidate cannot serve: {error}"]) from None
        frame = rows.usable(model, held_out).frame
        frame = _unseen(frame, champion, inputs)
        asked = [_size(candidate, artifact, config), _latency(candidate, config)]
        theirs: Any = None
        mine = rows.scores_of(candidate, frame)
        if champion is not None:
            try:
                theirs = rows.scores_of(Predictor.from_folder(champion.folder, model), frame)
            except ArtifactError as error:
                raise PipelineError(f"the champion cannot be compared: {error}") from None
        whole = rows.measure(candidate, frame, mine)
        asked += _limits(whole, config)
        metric = rows.deciding_metric(model)

        def value(scores: Any, some: Any) -> float | None:
            found = rows.measure(candidate, frame[some], scores[some])[metric]
            return None if found is None else float(found)

        if theirs is not None:
            everyone = frame.index == frame.index
            asked.append(
                _compared("all rows", metric, value(mine, everyone), value(theirs, everyone),
                          len(frame), config.margin, "margin")
            )  # fmt: skip
            for name, some in _segments(frame, config, model):
                asked.append(
                    _compared(name, metric, value(mine, some), value(theirs, some),
                              int(some.sum()), config.segment_margin, "segment_margin")
                )  # fmt: skip
        told = {
            "rows": len(frame), "metrics": whole,
            "champion": champion.version if champion else None,
            "asked": [vars(one) for one in asked],
        }  # fmt: skip
        write_file(folder / "gate.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
        if refused := [one.said for one in asked if not one.passed]:
            raise RefusedError(refused)
        against = f"the champion, {champion.version}" if champion else "no champion"
        return {
            "said": f"{metric} {whole[metric]:.6g} on {len(frame)} rows, against {against}: "
            + next((one.said for one in asked if one.what == "all rows"), "it serves")
        }

    return work


def _unseen(
    frame: pd.DataFrame, champion: Champion | None, inputs: Mapping[str, str]
) -> pd.DataFrame:
    """Return the rows that the champion has not learned from: those of later days, where they are
    dated. Raises RefusedError where there are none."""
    from training import rows

    if champion is None:
        return frame
    learned = [part for name, part in champion.manifest.data.items() if name != "test"]
    known = next((inputs[part.sha256] for part in learned if part.sha256 in inputs), None)
    last: date | None = max((part.last for part in learned if part.last), default=None)
    left = frame
    if rows.WHEN in frame and last is not None:
        left = frame[frame[rows.WHEN].dt.date > last].reset_index(drop=True)
    elif known is not None:
        raise RefusedError([f"the champion learned from {known} itself: name newer rows"])
    if not len(left):
        raise RefusedError(
            [f"the champion has seen all rows that were held out, until {last}: name newer ones"]
        )
    return left


def _size(candidate: Predictor, artifact: Path, config: Gate) -> Asked:
    size = sum((artifact / name).stat().st_size for name in candidate.manifest.files)
    passed = config.max_bytes is None or size <= config.max_bytes
    said = f"it has {size} bytes" + (
        "" if passed else f", {config.max_bytes} are allowed (max_bytes)"
    )
    return Asked("size", size, config.max_bytes, passed, said)


def _latency(candidate: Predictor, config: Gate) -> Asked:
    """Return the median time of one record."""
    records = [golden.record for golden in candidate.manifest.golden]
    taken = []
    for number in range(_TIMED):
        begun = time.perf_counter()
        candidate.one(records[number % len(records)])
        taken.append(time.perf_counter() - begun)
    us = round(statistics.median(taken) * 1e6, 1)
    passed = config.max_us is None or us <= config.max_us
    said = f"one record takes {us:g} us" + (
        "" if passed else f", {config.max_us:g} are allowed (max_us)"
    )
    return Asked("latency", us, config.max_us, passed, said)


def _limits(whole: Mapping[str, Any], config: Gate) -> list[Asked]:
    found = []
    for name, limit in config.limits.items():
        seen = whole.get(name)
        if not isinstance(seen, int | float):
            numbers = ", ".join(n for n, v in whole.items() if isinstance(v, float))
            raise UsageError(f"limits: there is no metric '{name}'; there are {numbers}")
        passed = seen >= limit if name in _HIGHER else seen <= limit
        word = "at least" if name in _HIGHER else "at most"
        said = f"its {name} is {seen:.6g}, {word} {limit:g} is asked for (limits)"
        found.append(Asked(f"limit of {name}", seen, limit, passed, said))
    return found


def _compared(
    what: str, metric: str, mine: float | None, theirs: float | None, rows: int, margin: float,
    option: str,
) -> Asked:  # fmt: skip
    if mine is None or theirs is None:
        return Asked(what, mine, theirs, True, f"{what}: one class only, {metric} says nothing")
    sign = -1 if metric in _HIGHER else 1
    worse = sign * (mine - theirs) / abs(theirs) if theirs else sign * (mine - theirs)
    said = f"on {rows} rows" if what == "all rows" else f"on the {rows} rows of {what}"
    word = "worse" if worse > 0 else "better"
    said += f" its {metric} is {mine:.6g}, the champion's {theirs:.6g}: {word} by {abs(worse):.1%}"
    passed = worse <= margin
    said += "" if passed else f", {margin:.1%} is allowed ({option})"
    return Asked(what, mine, theirs, passed, said)


def _segments(frame: pd.DataFrame, config: Gate, model: Model) -> list[tuple[str, Any]]:
    """Return the name and the rows of each segment that has enough."""
    import pandas as pd

    found = []
    for name in config.segments:
        if name not in model.record.model_fields:
            fields = ", ".join(model.record.model_fields)
            raise UsageError(f"segments: {model.name} has no field '{name}'; it has {fields}")
        column = frame[name]
        if pd.api.types.is_float_dtype(column):
            column = pd.qcut(column, _GROUPS, duplicates="drop").astype(str)
        for value, rows in column.value_counts().items():
            if rows >= config.segment_rows:
                found.append((f"{name} {value}", (column == value).to_numpy()))
    return found
