"""Two distributions over the same bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scoring.profiles import categories as by_category
from scoring.profiles import numbers as by_cell
from scoring.profiles.bins import OTHER, aligned, day_to_day
from scoring.profiles.categories import categories, text_of
from scoring.profiles.numbers import Numbers
from tests.support.chance import generator

RANDOM = generator(3)


def test_bins_of_a_number_hold_about_a_tenth_of_the_reference() -> None:
    """And every row of both is in one of them."""
    left = Numbers.of(RANDOM.lognormal(1, 1, 20_000), 6)
    right = Numbers.of(RANDOM.lognormal(1.5, 1, 3_000), 5)
    both = aligned(left, right)
    assert both is not None
    assert (both.left.sum(), both.right.sum()) == (20_000, 3_000)
    assert len(both.names) == 10
    assert both.left.min() > 1_400
    assert both.left.max() < 2_600
    assert both.right[-1] > 300


def test_what_lies_beyond_the_reference_is_a_bin_of_its_own() -> None:
    """Where it is more than a few rows."""
    left, right = Numbers.of(np.linspace(1, 2, 1000), 5), Numbers.of(np.linspace(1, 4, 1000), 5)
    both = aligned(left, right)
    assert both is not None
    assert both.names[-1] == "from 2.044"
    assert (both.left[-1], both.right[-1] > 600) == (0, True)


def test_rare_categories_are_one_bin_whoever_lacks_them() -> None:
    """A bin needs five expected rows of the smaller side: one category in a thousand is none."""
    left = categories({"a": 5000, "b": 4000, "rare": 4, **{f"r{n}": 10 for n in range(90)}})
    right = categories({"a": 500, "b": 400, **{f"new{n}": 30 for n in range(3)}})
    both = aligned(left, right)
    assert both is not None
    assert both.names == ["a", "b", OTHER]
    assert both.left.tolist() == [5000, 4000, 904]
    assert both.right.tolist() == [500, 400, 90]


def test_kinds_that_differ_and_nothing_have_no_bins() -> None:
    """There is nothing to compare."""
    some, names = Numbers.of(np.ones(9), 5), categories({"a": 9})
    assert aligned(some, names) is aligned(names, categories({})) is None


@pytest.mark.parametrize("kind", ["number", "category"])
def test_days_that_are_drawn_from_one_population_do_not_move(kind: str) -> None:
    """And days that differ do, by as much as their shares vary."""

    def day(shift: float) -> Any:
        if kind == "number":
            return Numbers.of(RANDOM.normal(10 + shift, 2, 4000), 6)
        share = 0.5 + shift / 10
        drawn = RANDOM.binomial(4000, share)
        return categories({"a": int(drawn), "b": 4000 - int(drawn)})

    def move(shifts: list[float]) -> float:
        days = [day(shift) for shift in shifts]
        add: Any = by_cell.add if kind == "number" else by_category.add
        return day_to_day(days, add(days))

    assert move([0.0] * 30) < 0.0002
    assert move([-0.5, 0.5] * 15) > 0.002
    assert move([0.5] * 2) == 0


def test_a_category_has_a_name_in_plain_text() -> None:
    """Zones as whole numbers, truths as JSON has them."""
    assert [text_of(value) for value in (74, 74.0, True, "two_year")] == [
        "74", "74", "true", "two_year",
    ]  # fmt: skip


def test_too_many_categories_keep_the_most_frequent() -> None:
    """The others are counted together, and none is lost in a sum."""
    many = {f"c{n}": n + 1 for n in range(by_category.MOST + 3)}
    found = categories(many)
    assert (len(found.counts), found.other) == (by_category.MOST, 1 + 2 + 3)
    summed = by_category.add([found, found])
    assert (summed.count, summed.other) == (2 * sum(many.values()), 12)
