"""How sure an answer is, from what training measured on rows that the model had not seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scoring.intervals import ENDS, Interval, numbers_of
from scoring.predictor import Predictor
from serving.fields import fields
from serving.pages.cards import held_out
from serving.pages.numbers import decimals_for, fixed, number, percent

LEVEL: Final = 0.9  # of the interval that the pages ask for
# As training names the bands of a field: `trip_distance 1-2`, `trip_distance 20+`.
_BAND: Final = re.compile(r"(\w+) (\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?)|\+)", re.ASCII)
_PROBABILITY: Final = "probability"  # in the place of a field, of a classification
_FEWEST: Final = 20  # rows, of which a share says anything


class Typical(NamedTuple):
    """The mean absolute error of predictions like this one, in the target's unit."""

    error: float
    words: str


class Sure(NamedTuple):
    """In words how far to trust an answer (empty where nobody knows), how many decimals its numbers
    have sense with, and the ends of its interval by their names, where the model gives one."""

    words: str
    decimals: int
    ends: Mapping[str, float]


def sure(
    predictor: Predictor, record: Mapping[str, Any], answer: Mapping[str, Any], score: float
) -> Sure:
    """Return how sure the answer to `record` is.

    Of a number between which two the truth lies nine times of ten, else how far off predictions
    like it usually were; of a probability how often it came true.
    """
    if predictor.model.task == "classification":
        return Sure(_came_true(predictor, score), 1, {})
    off = typical(predictor, record)
    decimals = decimals_for(off.error) if off else 1
    words = off.words if off else ""
    ends: Mapping[str, float] = {}
    names = numbers_of(answer)
    if names and gives_intervals(predictor):
        ends = Interval(predictor, LEVEL).ends(score)
        low, high = (ends[f"{names[0]}_{end}"] for end in ENDS)
        if high > low and not off:
            decimals = decimals_for((high - low) / 2)
        words = _between(predictor, low, high, decimals)
    return Sure("" if answer.get("beyond") else words, decimals, ends)


def gives_intervals(predictor: Predictor) -> bool:
    """Return whether the API gives intervals of a model's answers."""
    return predictor.manifest.calibration is not None


def _between(predictor: Predictor, low: float, high: float, decimals: int) -> str:
    learned = predictor.manifest.calibration
    rows = f" (by {number(learned.rows)} rows of the {learned.split} data)" if learned else ""
    both = f"{fixed(low, decimals)} to {fixed(high, decimals)} {predictor.model.unit}"
    return f"{both} in {LEVEL * 10:g} of 10 predictions{rows}"


def _came_true(predictor: Predictor, score: float) -> str:
    split = held_out(predictor)
    for band in _bands(predictor.manifest.metrics[split]) if split else ():
        match = _BAND.fullmatch(str(band.get("band", "")))
        rows, share = band.get("rows"), band.get("actual")
        if not match or match.group(1) != _PROBABILITY or not match.group(3):
            continue
        low, high = float(match.group(2)), float(match.group(3))
        if not (low <= score < high or score == high == 1):
            continue
        if not isinstance(rows, int) or not isinstance(share, int | float):
            continue
        given = (
            f"{number(rows)} rows of the {split} data were given {100 * low:.0f} to {percent(high)}"
        )
        if rows < _FEWEST:
            return f"Only {given}: too few to tell how often that comes true"
        return f"{given}; it came true for {percent(share)} of them"
    return ""


def typical(predictor: Predictor, record: Mapping[str, Any]) -> Typical | None:
    """Return how far off predictions like that of `record` were on the data that measured the
    model: of the record's band where training made bands, else of all; None where nothing was
    measured, and of a classification, whose answer is itself how sure it is."""
    split = held_out(predictor)
    if predictor.model.task != "regression" or not split:
        return None
    measured = predictor.manifest.metrics[split]
    for band in _bands(measured):
        if inside := _inside(predictor, str(band.get("band", "")), record):
            return _typical(predictor, band, f"{inside} of the {split} data")
    return _typical(predictor, measured, f"all of the {split} data")


def _typical(predictor: Predictor, measured: Mapping[str, Any], where: str) -> Typical | None:
    error = measured.get("mae")
    if isinstance(error, bool) or not isinstance(error, int | float) or not error > 0:
        return None
    shown = fixed(error, decimals_for(error))
    rows = f", {number(measured['rows'])} rows" if isinstance(measured.get("rows"), int) else ""
    return Typical(float(error), f"Typically off by {shown} {predictor.model.unit} ({where}{rows})")


def _bands(measured: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = measured.get("bands")
    return [band for band in found if isinstance(band, Mapping)] if isinstance(found, list) else []


def _inside(predictor: Predictor, name: str, record: Mapping[str, Any]) -> str:
    """Return a band in words where `record` lies in it: `Distance 1 to 2`."""
    match = _BAND.fullmatch(name)
    value = record.get(match.group(1)) if match else None
    if not match or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    low, high = float(match.group(2)), float(match.group(3) or "inf")
    if not low <= value < high:
        return ""
    title = fields(predictor.model)[match.group(1)].title
    ends = f"{match.group(2)} to {match.group(3)}" if match.group(3) else f"{match.group(2)} and up"
    return f"{title} {ends}"
