"""Is the new data like what came before? Rows, missing values, values out of range, drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.champions import Champion
from pipeline.config import Check
from pipeline.errors import RefusedError
from pipeline.steps import Result, Work
from scoring.models import Model
from scoring.process.atomic_files import write_file

if TYPE_CHECKING:
    import pandas as pd

    from scoring.profiles.profile import Profile


def check(
    model: Model,
    parts: Mapping[str, Sequence[Path]],
    files: int,
    champion: Champion | None,
    config: Check,
) -> Work:
    """Return the step that looks at the held-out rows, beside the champion's profile, else beside
    the rows before them, which came in so many whole `files` (0: they were cut off the same one).
    `check.json` has all figures."""

    def work(folder: Path) -> Result:
        import orjson

        from training import errors, rows

        before = [*parts["learned"], *parts["watched"]]
        try:
            learned = rows.usable(model, before)
            new = rows.usable(model, parts["held_out"])
        except errors.TrainingError as error:  # of columns that are not there, or of another kind
            raise RefusedError([str(error)]) from None
        counts = {"before": _rows(learned), "held_out": _rows(new)}
        reasons = _amount(counts["before"]["all"], files, counts["held_out"]["all"], config)
        reasons += _left_out(counts["held_out"], new.dropped, config)
        compared, drifted = _drift(model, learned.frame, new.frame, champion, config)
        told = {"rows": counts, "dropped": new.dropped, "compared": compared}
        write_file(folder / "check.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
        if reasons + drifted:
            raise RefusedError(reasons + drifted)
        n = counts["held_out"]["usable"]
        return {"said": f"{n} new rows are like those before", "rows": counts}

    return work


def _rows(checked: Any) -> dict[str, int]:
    usable = len(checked.frame)
    return {"usable": usable, "all": usable + sum(checked.dropped.values())}


def _amount(before: int, files: int, new: int, config: Check) -> list[str]:
    """Return what is wrong with the number of new rows, beside those of whole files before."""
    if new < config.min_rows:
        return [f"there are {new} new rows; at least {config.min_rows} are expected (min_rows)"]
    if not files:
        return []
    mean = before / files
    low, high = (round(mean * share) for share in config.rows)
    if low <= new <= high:
        return []
    return [
        f"the newest file has {new} rows, the files before it {mean:.0f} on average; from {low} to "
        f"{high} are expected (rows)"
    ]


def _left_out(counts: dict[str, int], dropped: dict[str, int], config: Check) -> list[str]:
    reasons = []
    share = 1 - counts["usable"] / counts["all"] if counts["all"] else 0.0
    if share > config.max_dropped:
        most = ", ".join(f"{n}: {why}" for why, n in dropped.items())
        reasons.append(
            f"{share:.1%} of the new rows are no valid record, {config.max_dropped:.1%} are "
            f"allowed (max_dropped): {most}"
        )
    for why, number in dropped.items():
        if why.endswith(" is missing") and number / counts["all"] > config.max_missing:
            reasons.append(
                f"{why} in {number / counts['all']:.1%} of the new rows, {config.max_missing:.1%} "
                "are allowed (max_missing)"
            )
    return reasons


def _drift(
    model: Model, before: pd.DataFrame, new: pd.DataFrame, champion: Champion | None, config: Check
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return every comparison, and a sentence for each that is too far."""
    from monitoring import compare, windows
    from training import rows

    profile: Profile | None = champion.profile() if champion else None
    if profile is not None and champion is not None:
        named, scales = f"the training of the champion, {champion.version}", profile.scales
    else:
        named = "the rows before"
        profile = rows.described(model, before)
        scales = profile.scales
    days = _days(new[rows.WHEN]) if rows.WHEN in new else 1
    window = windows.Window(0, 24 * days, rows.described(model, new, scales), [])
    reference = windows.Reference(named, profile, None, profile.day_to_day)
    found = [one for one in compare.compare(reference, window) if one.field != compare.SCORE]
    beyond = compare.significant(found)
    reasons = [
        f"{one.sentence}: a PSI of {one.size:.2g} to {named}, {config.max_psi:g} is allowed "
        "(max_psi)"
        for one in found
        if one.question == "drift" and (one.field, one.question) in beyond
        and one.size > config.max_psi
    ]  # fmt: skip
    return [one.as_json() for one in found], reasons


def _days(times: pd.Series[Any]) -> int:
    return int(max(1, (times.max() - times.min()).days + 1))
