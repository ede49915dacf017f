"""How far an answer is usually off, from what training measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from scoring.predictor import Predictor
from serving.fields import fields
from serving.pages.cards import held_out
from serving.pages.numbers import decimals_for, fixed, number

# As training names the bands of a field: `trip_distance 1-2`, `trip_distance 20+`.
_BAND: Final = re.compile(r"(\w+) (\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?)|\+)", re.ASCII)


class Typical(NamedTuple):
    """The mean absolute error of predictions like this one, in the target's unit."""

    error: float
    words: str


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
