"""All of what some rows of a model looked like: counted, added up, written and read.

    {"format": 1, "model": "ride", "rows": 60000,
     "fields": {"PULocationID": {"kind": "category", "counts": {"74": 1205, ...}, ...},
                "trip_distance": {"kind": "number", "cells": [...], "counts": [...], ...}},
     "score": {...}, "target": {...}, "day_to_day": {"trip_distance": 0.002},
     "performance": {...}, "bins": {"trip_distance": [0.98, ...], "": [...]},
     "tallies": {"unseen": 12}}

To change it, raise FORMAT and let `profile_of` take both: profiles are kept longer than programs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import orjson

from scoring.errors import ArtifactError
from scoring.profiles import categories as by_category
from scoring.profiles import numbers as by_cell
from scoring.profiles.bins import BINS, Sketch
from scoring.profiles.categories import Categories, categories
from scoring.profiles.numbers import SCALE, Array, Numbers, cells_of, tally
from scoring.profiles.performance import Performance, performance_of

FORMAT: Final = 1


class NumberColumn(NamedTuple):
    """n float64, NaN where the value is missing; which of these are known by their hash only."""

    values: Array
    hidden: Array | None = None


class CategoryColumn(NamedTuple):
    """n codes, -1 where the value is missing, and the categories that they stand for."""

    codes: Array
    names: Sequence[str]
    hidden: bool = False  # the names are hashes


Column = NumberColumn | CategoryColumn


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Distributions by field, of the score and, of a training, of the target."""

    model: str
    rows: int
    fields: Mapping[str, Sketch]
    score: Numbers
    target: Sketch | None = None
    day_to_day: Mapping[str, float] = field(default_factory=dict)
    performance: Performance | None = None
    tallies: Mapping[str, int] = field(default_factory=dict)

    @property
    def scales(self) -> dict[str, int]:
        """The scale of each number, of the score under the empty name."""
        found = {name: s.scale for name, s in self.fields.items() if isinstance(s, Numbers)}
        return {**found, "": self.score.scale}

    @property
    def bins(self) -> dict[str, list[float | None]]:
        """The ends of the bins of each number that hold a tenth of its rows each, to the width of a
        cell; of the score under the empty name."""
        numbers = {name: s for name, s in self.fields.items() if isinstance(s, Numbers)}
        return {name: [one.quantile(place / BINS) for place in range(1, BINS)]
                for name, one in {**numbers, "": self.score}.items()}  # fmt: skip

    def content(self) -> bytes:
        """Return the bytes of the file."""
        made: dict[str, Any] = {
            "format": FORMAT,
            "model": self.model,
            "rows": self.rows,
            "fields": {name: sketch.as_json() for name, sketch in self.fields.items()},
            "score": self.score.as_json(),
        }
        if self.target is not None:
            made["target"] = self.target.as_json()
        if self.day_to_day:
            made["day_to_day"] = dict(self.day_to_day)
        if self.performance is not None:
            made["performance"] = self.performance.as_json()
            made["bins"] = self.bins
        if self.tallies:
            made["tallies"] = dict(self.tallies)
        return orjson.dumps(made) + b"\n"


class _Format(msgspec.Struct, gc=False):
    format: int


class _Written(msgspec.Struct, gc=False):
    """The file's keys."""

    model: str
    rows: int
    fields: dict[str, Numbers | Categories]
    score: Numbers
    target: Numbers | Categories | None = None
    day_to_day: dict[str, float] = {}
    performance: dict[str, Any] | None = None
    tallies: dict[str, int] = {}


_decode_format: Final = msgspec.json.Decoder(_Format).decode
_decode: Final = msgspec.json.Decoder(_Written).decode


def profile_of(content: bytes) -> Profile:
    """Return the profile that a file's bytes hold, or raise ArtifactError."""
    try:
        told = _decode_format(content).format
        if told != FORMAT:
            raise ArtifactError(f"the profile has the format {told}; this version reads {FORMAT}")
        found = _decode(content)
        return Profile(
            model=found.model,
            rows=found.rows,
            fields=found.fields,
            score=found.score,
            target=found.target,
            day_to_day=found.day_to_day,
            performance=performance_of(found.performance) if found.performance else None,
            tallies=found.tallies,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"it is no profile of ours: {error!r}") from None


def add(parts: Sequence[Profile]) -> Profile:
    """Return the sum of one or more profiles of a model.

    Fields that not all of them have are summed over those that do. The target is kept where all
    have it; what only a training knows (performance, day to day) is that of no sum.
    """
    names = list(dict.fromkeys(name for part in parts for name in part.fields))
    fields = {name: _sum([p.fields[name] for p in parts if name in p.fields]) for name in names}
    targets = [part.target for part in parts if part.target is not None]
    tallies: Counter[str] = Counter()
    for part in parts:
        tallies.update(part.tallies)
    return Profile(
        model=parts[0].model,
        rows=sum(part.rows for part in parts),
        fields=fields,
        score=by_cell.add([part.score for part in parts]),
        target=_sum(targets) if len(targets) == len(parts) else None,
        tallies=dict(tallies),
    )


def count(
    model: str,
    columns: Mapping[str, Column],
    scores: Array,
    scales: Mapping[str, int],
    starts: Sequence[int] = (0,),
) -> list[Profile]:
    """Return the profile of each run of rows that begins at one of `starts`, ascending.

    All columns and `scores` are n_rows long; `scales` are those of numbers by field, of the score
    under the empty name, where they are not the usual one.
    """
    ends = [*starts[1:], len(scores)]
    runs = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
    by_field: dict[str, list[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, NumberColumn):
            by_field[name] = _numbers(column, scales.get(name, SCALE), runs)
        else:
            by_field[name] = [_categories(column, run) for run in runs]
    found = _numbers(NumberColumn(scores), scales.get("", SCALE), runs)
    return [
        Profile(
            model=model,
            rows=run.stop - run.start,
            fields={name: parts[place] for name, parts in by_field.items()},
            score=found[place],
        )
        for place, run in enumerate(runs)
    ]


def _numbers(column: NumberColumn, scale: int, runs: Sequence[slice]) -> list[Numbers]:
    values, hidden = column
    known = ~np.isnan(values)
    every = bool(known.all())
    cells = cells_of(values if every else np.where(known, values, 0.0), scale)
    found = []
    for run in runs:
        some, of = values[run], cells[run]
        if not every:
            some, of = some[known[run]], of[known[run]]
        hid = 0 if hidden is None else int(hidden[run].sum())
        gone = run.stop - run.start - len(some) - hid
        found.append(Numbers.counted(some, *tally(of), scale, missing=gone, hidden=hid))
    return found


def _categories(column: CategoryColumn, run: slice) -> Categories:
    codes, names, hidden = column
    counts = np.bincount(codes[run] + 1, minlength=len(names) + 1)
    some = np.flatnonzero(counts[1:])
    found = {names[code]: int(counts[code + 1]) for code in some.tolist()}
    rows = run.stop - run.start - int(counts[0])
    return categories(found, missing=int(counts[0]), hidden=rows if hidden else 0)


def _sum(parts: Sequence[Sketch]) -> Sketch:
    """Return the sum; where a field was a number and became a category, that of the later kind."""
    numbers = [part for part in parts if isinstance(part, Numbers)]
    names = [part for part in parts if isinstance(part, Categories)]
    if isinstance(parts[-1], Numbers):
        return by_cell.add(numbers)
    return by_category.add(names)
