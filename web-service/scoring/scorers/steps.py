"""Scores that were worked out before anybody asks: of common categories, for every number.

Where a record has one number beside its categories, the score of trees is a step function of that
number for given values of the categories: it turns at some of the trees' thresholds, and at none
for most of them. The steps of those values that training had most often are part of the file.
Scores are the same to the bit: each is the sum that the trees would make.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import isfinite
from operator import itemgetter
from typing import Any

from scoring.models import Features


class Steps:
    """Looks a score up, by the values of a record's categories and by its number."""

    def __init__(
        self,
        number: str,
        names: Sequence[str],
        thresholds: Sequence[float],
        values: Sequence[Sequence[str]],
        counts: Sequence[int],
        begin: array[int],
        scores: array[float],
    ) -> None:
        """Of each of `values`, one for each category of `names`, there are `counts` steps, one
        behind the other in `begin`, the first of the intervals between the sorted `thresholds` that
        a step takes in, and in `scores`. Raises ValueError where they do not fit together."""
        ends = [0, *accumulate(counts)]
        whole = (
            min(counts, default=0) > 0
            and ends[-1] == len(begin) == len(scores)
            and all(begin[end] == 0 for end in ends[:-1])
            and len(values) == len(counts)
            and {*map(len, values)} == {len(names)}
            and isfinite(sum(scores))
        )
        if not whole:
            raise ValueError("its steps are damaged")
        self._number = number
        self._asked = len(names) + 1
        self._values: Any = itemgetter(*names)
        self._thresholds, self._begin, self._scores = thresholds, begin, scores
        self._places = {
            self._values(dict(zip(names, of, strict=True))): place
            for of, place in zip(values, pairwise(ends), strict=True)
        }

    def score(self, features: Features) -> float | None:
        """Return a record's score; None where it has other features than these, or values of which
        no steps are known."""
        if len(features) != self._asked:
            return None
        try:
            place = self._places[self._values(features)]
            number = features[self._number]
        except KeyError:
            return None
        if isinstance(number, str):
            return None
        interval = bisect_left(self._thresholds, number)
        return self._scores[bisect_right(self._begin, interval, *place) - 1]
