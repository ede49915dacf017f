"""Bounds of histograms: the training data's, rounded; something sensible without them."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.models import Model
from scoring.observers import buckets

WHOLE = {"type": "integer", "minimum": 1, "maximum": 265}
ENTRY = {"min": 3.14159, "max": 31.54, "mean": 4.3, "std": 4.5,
         "quantiles": {"0.25": 4.444, "0.5": 7.61, "0.75": 7.62}}  # fmt: skip


def test_bounds_are_those_of_the_training_data() -> None:
    """Quantiles to two digits; the least down and the greatest up, so that what lies beyond the
    data lies beyond the bounds."""
    found = buckets.of_input("f", {"type": "number"}, {"f": ENTRY})
    assert found == [3.1, 4.4, 7.6, 32.0]


@pytest.mark.parametrize(
    ("number", "down", "up"),
    [(0.0, 0.0, 0.0), (-31.54, -32.0, -31.0), (0.000123, 0.00012, 0.00013), (1e300, 1e300, 1e300)],
)
def test_the_ends_are_rounded_outwards(number: float, down: float, up: float) -> None:
    """Also below zero, and where numbers are tiny or huge."""
    entry = {"min": number, "max": number, "quantiles": {}}
    assert buckets.of_input("f", {}, {"f": entry}) == sorted({down, up})


@pytest.mark.parametrize(
    "profile",
    [{}, {"f": {}}, {"f": {**ENTRY, "min": None}}, {"f": {**ENTRY, "quantiles": [1]}},
     {"f": {**ENTRY, "quantiles": {"0.5": "x"}}}, {"f": {**ENTRY, "max": float("inf")}}],
)  # fmt: skip
def test_without_a_profile_the_schema_is_divided(profile: Any) -> None:
    """A manifest of old, or one that is odd, keeps no model from being counted."""
    profile = {**profile} if "f" not in profile or "quantiles" not in profile["f"] else profile
    found = buckets.of_input("f", WHOLE, profile)
    if isinstance(profile.get("f", {}).get("quantiles"), list):
        assert len(found) == 2  # its ends are still there
    else:
        assert (found[0], found[-1], len(found)) == (1, 260, 11)
    assert found == sorted(found)


def test_a_number_without_limits_gets_powers() -> None:
    """Better than nothing."""
    assert buckets.of_input("f", {"type": "number"}, {})[:3] == [0.0, 1.0, 2.0]


def test_a_few_whole_numbers_are_counted_each() -> None:
    """Zero or one is a category in all but name."""
    assert buckets.of_input("f", {"type": "integer", "minimum": 0, "maximum": 1}, {"f": ENTRY}) == [
        0,
        1,
    ]


def test_a_probability_has_bounds_from_zero_to_one(model: Model) -> None:
    """A class is trained on zeros and ones, whose quantiles divide no probabilities."""
    found = buckets.of_output(model, {model.target: ENTRY})
    if model.task == "classification":
        assert found[-1] == 1.0
        assert len(found) == 12
    else:
        assert found == [3.1, 4.4, 7.6, 32.0]


def test_the_spread_is_told_where_it_is_known() -> None:
    """For alerts that compare what comes in with what was trained on."""
    assert buckets.spread(["f", "g"], {"f": ENTRY, "g": {"mean": "?"}}) == {"f": (4.3, 4.5)}
