"""How far the truth lay from a regression's scores on rows that the model had not seen.

Of it intervals are made (scoring/intervals.py), by split conformal prediction within groups of
like scores (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, chapter 4):
of a new row from the same source, whose score falls into a group, the truth lies beyond one of its
bounds with at most the tail's probability. The errors of a long ride are not those of a short one,
so each group has bounds of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

STEP: Final = 0.005  # from one tail to the next; the first one is as large
TAILS: Final = 50  # so that intervals hold from 0.5 to 0.99 of all truths
LEAST: Final = 1 - 2 * STEP * TAILS
MOST: Final = 1 - 2 * STEP
FEWEST_ROWS: Final = 200  # of a group: with fewer, nothing is known of the outermost tail

_Errors = Annotated[list[float], Field(min_length=TAILS, max_length=TAILS)]


class Calibration(BaseModel):
    """Errors are truth minus score, in the target's unit. A group's n-th number is the bound beyond
    which lies a share of n * STEP of them, counted from 1."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    split: str  # the part of the data whose rows these were
    rows: Annotated[int, Field(ge=FEWEST_ROWS)]
    edges: list[float]  # the scores at which a group ends and the next one begins
    below: list[_Errors]  # of each group, zero at most
    above: list[_Errors]  # zero at least

    @model_validator(mode="after")
    def _whole(self) -> Self:
        groups = len(self.edges) + 1
        if not len(self.below) == len(self.above) == groups:
            raise ValueError(f"there are {groups} groups, and not as many rows of errors")
        if not _rising(self.edges, strictly=True):
            raise ValueError("the scores between the groups do not rise")
        for below, above in zip(self.below, self.above, strict=True):
            if not (_rising(below) and _rising(above[::-1]) and below[-1] <= 0 <= above[-1]):
                raise ValueError("the errors of a group are not in order")
        return self


def _rising(numbers: Sequence[float], *, strictly: bool = False) -> bool:
    return all(a < b if strictly else a <= b for a, b in pairwise(numbers))
