"""Numbers and days as people read them."""

from __future__ import annotations

import math
from datetime import date

import pytest

from serving.pages.numbers import day, number, percent, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.0523, "7.052"),
        (0.8614, "0.8614"),
        (0.5, "0.5"),
        (-0.02885, "\N{MINUS SIGN}0.02885"),
        (0.0, "0"),
        (12345.6, "12,346"),
        (8703, "8,703"),
        (1e-9, "0"),
        (math.nan, "\N{EN DASH}"),
        (math.inf, "\N{EN DASH}"),
        (None, "\N{EN DASH}"),
        ("x", "\N{EN DASH}"),
        (True, "\N{EN DASH}"),
    ],
    ids=repr,
)
def test_a_number_has_four_digits_or_is_a_dash(value: object, text: str) -> None:
    """Four significant digits, thousands apart, a real minus, no NaN."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0\N{NO-BREAK SPACE}%"),
        (0.004, "less than\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"),
        (0.47, "47\N{NO-BREAK SPACE}%"),
        (0.9996, "more than\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"),
        (1.0, "100\N{NO-BREAK SPACE}%"),
    ],
    ids=str,
)
def test_a_probability_is_certain_only_where_it_is(value: float, text: str) -> None:
    """0 % and 100 % are kept for what the model is certain of."""
    assert percent(value) == text


def test_contributions_have_signs_and_days_are_written_out() -> None:
    """A contribution says whether it adds; a month is a word."""
    assert (signed(92.994), signed(-3.53)) == ("+92.99", "\N{MINUS SIGN}3.53")
    assert day(date(2021, 1, 1)) == "1 January 2021"
