"""Sums in order."""

from __future__ import annotations

from scoring.values.sums import in_order, one_by_one


def test_a_sum_is_rounded_after_each_number() -> None:
    """Where `sum` of another version of Python makes up for it, or does not."""
    numbers = [1e16, 1.0, 1.0, -1e16]
    assert in_order(numbers) == one_by_one(numbers) == 0.0
    assert in_order(iter([0.1] * 10)) == one_by_one([0.1] * 10) == 0.9999999999999999
