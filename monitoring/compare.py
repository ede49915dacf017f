"""What of a window differs from its reference: fields, score, missing values, new categories."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitoring.chance import beta_binomial_from
from monitoring.drift import (
    LEVEL,
    MIN_ROWS,
    SMALLEST,
    Difference,
    difference,
    false_discoveries_held,
    rate_differs,
)
from monitoring.windows import Reference, Window
from scoring.profiles.bins import OTHER, Sketch
from scoring.profiles.categories import Categories
from scoring.profiles.numbers import Numbers, cells_of

SCORE = "prediction"

Part = Callable[[Sketch], tuple[float, int]]  # a mean, or a share, as what is over how many


@dataclass(frozen=True)
class Comparison:
    """One question about one field."""

    field: str
    question: str  # drift, missing, new categories, beyond the range
    p: float
    size: float  # PSI of drift, else a difference of shares
    sentence: str
    part: Part  # what the sentence is about
    before: float  # that of the reference
    difference: Difference | None = None

    @property
    def matters(self) -> bool:
        """Whether it is large enough to care about."""
        return self.size >= (SMALLEST if self.question == "drift" else 0.001)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        found: dict[str, Any] = {
            "field": self.field, "question": self.question, "p": self.p, "size": self.size,
            "sentence": self.sentence,
        }  # fmt: skip
        if self.difference is not None:
            found |= {
                "psi": self.difference.psi,
                "jensen_shannon": self.difference.divergence,
                "threshold": self.difference.threshold,
                "bins": self.difference.bins.names,
                "reference": self.difference.bins.left.tolist(),
                "window": self.difference.bins.right.tolist(),
            }
        return found


def compare(reference: Reference, window: Window) -> list[Comparison]:
    """Return what was asked of each field, in the record's order, the score last."""
    profile = window.profile
    if profile is None:
        return []
    found: list[Comparison] = []
    sketches = [(name, reference.profile.fields.get(name), sketch)
                for name, sketch in profile.fields.items()]  # fmt: skip
    many = len(sketches) + 1
    for name, ours, theirs in [*sketches, (SCORE, reference.profile.score, profile.score)]:
        if ours is None:
            continue
        moves = reference.moves("" if name == SCORE else name, window)
        apart = difference(ours, theirs, moves, LEVEL / many)
        if apart is not None:
            sentence, part = _drifted(name, ours, theirs, apart)
            some, rows = part(ours)
            found.append(
                Comparison(name, "drift", apart.p, apart.psi, sentence, part, some / rows, apart)
            )
        found += _missing(name, ours, theirs)
        found += _new(name, ours, theirs)
        found += _beyond(name, ours, theirs)
    return found


def significant(comparisons: list[Comparison], level: float = LEVEL) -> set[tuple[str, str]]:
    """Return the field and question of what is more than chance and large enough to matter."""
    held = false_discoveries_held([one.p for one in comparisons], level)
    return {
        (one.field, one.question)
        for one, beyond in zip(comparisons, held, strict=True)
        if beyond and one.matters
    }


def _missing(name: str, ours: Sketch, theirs: Sketch) -> list[Comparison]:
    n, m = ours.count + ours.missing, theirs.count + theirs.missing
    if min(n, m) < MIN_ROWS or not ours.missing + theirs.missing:
        return []
    p = rate_differs(ours.missing, n, theirs.missing, m)
    before, now = ours.missing / n, theirs.missing / m
    sentence = f"{name} is missing in {now:.1%} of the rows, was {before:.1%}"
    return [Comparison(name, "missing", p, abs(now - before), sentence, _absent, before)]


def _absent(one: Sketch) -> tuple[float, int]:
    return one.missing, one.count + one.missing


def _new(name: str, ours: Sketch, theirs: Sketch) -> list[Comparison]:
    """Ask whether more rows than usual hold a category that the reference has not.

    After m rows of which some categories were seen once, the next row holds a new one with the
    probability of once by m (Good 1953).
    """
    if not isinstance(ours, Categories) or not isinstance(theirs, Categories) or ours.other:
        return []
    new = {c: rows for c, rows in theirs.counts.items() if c not in ours.counts}
    if min(ours.count, theirs.count) < MIN_ROWS or not new or theirs.hidden != 0 or ours.hidden:
        return []
    rows = sum(new.values())
    once = sum(1 for seen in ours.counts.values() if seen == 1)
    expected = (once + 1) / ours.count
    # the expected share is itself known by `once` rows only
    p = beta_binomial_from(rows, theirs.count, once + 1, ours.count)
    some = ", ".join(sorted(new, key=lambda c: (-new[c], c))[:3])
    sentence = f"{name} has {len(new)} new values in {rows / theirs.count:.1%} of the rows ({some})"
    size = rows / theirs.count - expected
    return [Comparison(name, "new categories", p, size, sentence, _rows_of(new), 0.0)]


def _rows_of(names: Collection[str], *, others: bool = False) -> Part:
    """Return what counts the rows of these categories, or of all others."""

    def part(one: Sketch) -> tuple[float, int]:
        if not isinstance(one, Categories):
            return 0, 0
        rows = sum(one.counts.get(name, 0) for name in names)
        return (one.count - rows if others else rows), one.count

    return part


def rows_beyond(ours: Numbers, theirs: Numbers) -> int:
    """Return how many of their rows lie beyond the least and largest of ours, by more than a cell
    of the distribution."""
    if ours.low is None or ours.high is None:
        return 0
    scale = min(ours.scale, theirs.scale)
    low, high = cells_of(np.array([ours.low, ours.high]), scale)
    cells, counts = theirs.coarse(scale)
    return int(counts[(cells < low) | (cells > high)].sum())


def _beyond(name: str, ours: Sketch, theirs: Sketch) -> list[Comparison]:
    """Ask whether more rows than usual lie beyond the ends of the reference.

    Of m further rows of one population as many lie beyond the least and largest of n as a
    beta-binomial draws with 2 and n - 1, whatever its distribution (Wilks 1941).
    """
    if not isinstance(ours, Numbers) or not isinstance(theirs, Numbers):
        return []
    if min(ours.count, theirs.count) < MIN_ROWS or not (rows := rows_beyond(ours, theirs)):
        return []
    p = beta_binomial_from(rows, theirs.count, 2, ours.count - 1)
    share = rows / theirs.count
    sentence = (
        f"{name} lies beyond {ours.low:.4g} to {ours.high:.4g} in {share:.1%} of the rows, from "
        f"{theirs.low:.4g} to {theirs.high:.4g}"
    )

    def part(one: Sketch) -> tuple[float, int]:
        return (rows_beyond(ours, one), one.count) if isinstance(one, Numbers) else (0, 0)

    return [Comparison(name, "beyond the range", p, share, sentence, part, 0.0)]


def _drifted(name: str, ours: Sketch, theirs: Sketch, apart: Difference) -> tuple[str, Part]:
    """Return how it differs in words, and the mean or share that these are about."""
    if isinstance(ours, Numbers) and isinstance(theirs, Numbers):
        before, now = ours.mean or 0.0, theirs.mean or 0.0
        spread = ours.deviation or 0.0
        if spread and abs(now - before) > 0.02 * spread:
            change = f"{abs(now / before - 1):.0%} " if before and now / before > 0 else ""
            word = "higher" if now > before else "lower"
            return f"{name} is {change}{word} on average: {now:.4g}, was {before:.4g}", _total
        return f"{name} is spread otherwise around the same average of {now:.4g}", _squares
    left, right = apart.bins.left, apart.bins.right
    n, m = left.sum(), right.sum()
    place = int(abs(left / n - right / m).argmax())
    most = apart.bins.names[place]
    sentence = f"{name}: '{most}' is {right[place] / m:.1%} of the rows, was {left[place] / n:.1%}"
    others = [one for one in apart.bins.names if one != OTHER]
    return sentence, _rows_of(others, others=True) if most == OTHER else _rows_of([most])


def _total(one: Sketch) -> tuple[float, int]:
    return (one.total, one.count) if isinstance(one, Numbers) else (0.0, 0)


def _squares(one: Sketch) -> tuple[float, int]:
    return (one.squares, one.count) if isinstance(one, Numbers) else (0.0, 0)
