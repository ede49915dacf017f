"""Distributions of numbers: cells that are the same for everybody, added exactly."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from scoring.profiles.numbers import Numbers, add, cells_of, edge, scale_for
from tests.support.chance import generator

RANDOM = generator(7)
MIXED = np.concatenate([RANDOM.normal(0, 3, 5000), RANDOM.lognormal(2, 1.5, 5000), np.zeros(50)])


def test_a_number_lies_between_the_ends_of_its_cell() -> None:
    """Of either sign, at every scale; what is smaller than 2^-32 counts as zero."""
    for scale in (3, 5, 8):
        for value, cell in zip(MIXED, cells_of(MIXED, scale).tolist(), strict=True):
            nearer, farther = edge(cell, scale), edge(cell + (1 if cell > 0 else -1), scale)
            if cell:
                assert abs(nearer) <= abs(value) * (1 + 1e-12) <= abs(farther) * (1 + 1e-11)
    assert cells_of(np.array([0.0, 1e-30, -1e-30]), 5).tolist() == [0, 0, 0]


@pytest.mark.parametrize("scales", [(5, 5), (8, 4), (4, 8)], ids=str)
def test_parts_add_up_to_the_whole(scales: tuple[int, int]) -> None:
    """Also where they were counted at different scales: at the smaller one, exactly."""
    parts = [Numbers.of(MIXED[:3000], scales[0], missing=2), Numbers.of(MIXED[3000:], scales[1])]
    summed = add(parts)
    whole = Numbers.of(MIXED, min(scales), missing=2)
    assert (summed.cells, summed.counts) == (whole.cells, whole.counts)
    assert (summed.low, summed.high, summed.missing) == (whole.low, whole.high, 2)
    assert summed.total == pytest.approx(whole.total)
    assert summed.squares == pytest.approx(whole.squares)


def test_mean_deviation_and_quantiles_are_those_of_the_numbers() -> None:
    """The first two exactly, a quantile to the width of a cell."""
    found = Numbers.of(MIXED, 6)
    assert found.mean == pytest.approx(MIXED.mean())
    assert found.deviation == pytest.approx(MIXED.std())
    for share in (0.05, 0.5, 0.95):
        assert found.quantile(share) == pytest.approx(np.quantile(MIXED, share), rel=0.03, abs=0.01)


def test_nothing_has_no_mean_and_changes_no_sum() -> None:
    """An hour without a single value of an optional field."""
    nothing = Numbers.of(np.zeros(0), 5, missing=9)
    assert nothing.mean is nothing.deviation is nothing.quantile(0.5) is nothing.low is None
    assert add([nothing, Numbers.of(MIXED, 5)]).counts == Numbers.of(MIXED, 5).counts


def test_a_distribution_survives_being_written() -> None:
    """Plain values and back."""
    found = Numbers.of(MIXED, 5, missing=3, hidden=1)
    assert msgspec.convert(found.as_json(), Numbers) == found


def test_a_narrow_bulk_gets_finer_cells() -> None:
    """Temperatures in Kelvin are told apart as distances are."""
    kelvin = RANDOM.normal(290, 8, 5000)
    assert scale_for(kelvin) > scale_for(RANDOM.lognormal(0, 1, 5000))
    assert len(Numbers.of(kelvin, scale_for(kelvin)).cells) > 50
    assert scale_for(np.zeros(0)) == scale_for(np.ones(9)) == 5
