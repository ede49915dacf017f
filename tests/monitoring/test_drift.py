"""Drift: alarms on clean windows at the stated rate, and planted shifts found."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from monitoring.compare import compare, rows_beyond, significant
from monitoring.drift import difference, false_discoveries_held, jensen_shannon, psi, rate_differs
from monitoring.windows import Reference, Window
from scoring.profiles.bins import Bins
from scoring.profiles.numbers import Numbers
from scoring.profiles.profile import CategoryColumn, NumberColumn, Profile, count

ZONES = [str(zone) for zone in range(1, 60)]
POPULATION = 60_000


def drawn(seed: int, rows: int, month: np.random.Generator | None = None, **shift: Any) -> Profile:
    """Return the profile of rides; `miles` are added in standard deviations, `zones` are the share
    of new ones, `factor` multiplies distances, `swap` exchanges the zones."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(ZONES) + 1)
    pickup = random.choice(len(ZONES), rows, p=weights / weights.sum())
    dropoff = random.choice(len(ZONES), rows, p=weights[::-1] / weights.sum())
    miles = random.lognormal(0.8, 0.7, rows) * shift.get("factor", 1)
    miles = miles + shift.get("miles", 0) * miles.std()
    names = [*ZONES, "261", "262", "263", "264", "265"]
    new = random.random(rows) < shift.get("zones", 0)
    pickup[new] = random.integers(len(ZONES), len(names), int(new.sum()))
    if shift.get("swap"):
        pickup, dropoff = dropoff, pickup
    columns: dict[str, Any] = {
        "PULocationID": CategoryColumn(pickup, names),
        "DOLocationID": CategoryColumn(dropoff, names),
        "trip_distance": NumberColumn(miles),
    }
    return count("ride", columns, 4 + 3 * miles + random.normal(0, 2, rows), {})[0]


REFERENCE = Reference("a clean month", drawn(0, POPULATION), None, {})


def changed(profile: Profile, reference: Reference = REFERENCE) -> set[tuple[str, str]]:
    return significant(compare(reference, Window(0, 24, profile, [])))


def rates(rows: int, windows: int, reference: Reference = REFERENCE) -> tuple[float, float]:
    """Return the share of windows with a warning, and of those with one in two in a row."""
    found = [changed(drawn(100 + place, rows), reference) for place in range(windows)]
    pairs = pairwise(found)
    return (
        sum(map(bool, found)) / windows,
        sum(bool(before & now) for before, now in pairs) / (windows - 1),
    )


@pytest.mark.slow
@pytest.mark.parametrize("rows", [100, 1_000, 100_000])
def test_clean_windows_alarm_at_the_stated_rate(rows: int) -> None:
    """Of 500 windows from one population at most a twentieth warns (and chance), and one in a
    hundred alarms: the same at a hundred rows and at a hundred thousand."""
    warned, alarmed = rates(rows, 500 if rows < 100_000 else 150)
    assert warned <= 0.08
    assert alarmed <= 0.01


@pytest.mark.slow
def test_a_few_clean_windows_are_quiet() -> None:
    """The short turn of the rates above."""
    warned, alarmed = rates(500, 40)
    assert warned <= 0.15
    assert alarmed == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "rows", "field"),
    [({"miles": 0.1}, 10_000, "trip_distance"), ({"zones": 0.05}, 300, "PULocationID"),
     ({"factor": 1.609}, 100, "trip_distance"), ({"swap": True}, 100, "PULocationID")],
    ids=["a tenth of a deviation", "5 % new zones", "kilometres", "fields exchanged"],
)  # fmt: skip
def test_planted_shifts_are_found(shift: dict[str, Any], rows: int, field: str) -> None:
    """Within the rows that the docs state, in nine windows of ten."""
    found = [changed(drawn(7 + seed, rows, **shift)) for seed in range(10)]
    assert sum(any(name == field for name, _ in one) for one in found) >= 9


@pytest.mark.slow
def test_numbers_beyond_the_ends_are_found() -> None:
    """A few rows that no mean shows, in nine windows of ten; those within them are none."""
    random = np.random.default_rng(3)
    found = 0
    for seed in range(10):
        miles = random.lognormal(0.8, 0.7, 1000)
        miles[:5] = 500 + seed
        columns: dict[str, Any] = {"trip_distance": NumberColumn(miles)}
        [profile] = count("ride", columns, 4 + 3 * random.lognormal(0.8, 0.7, 1000), {})
        found += ("trip_distance", "beyond the range") in changed(profile)
    assert found >= 9
    clean = [changed(drawn(40 + seed, 1000)) for seed in range(20)]
    assert not any(question == "beyond the range" for one in clean for _, question in one)
    inside = Numbers.of(np.array([-5.0, 0.0, 3.0]), 5)
    assert rows_beyond(inside, Numbers.of(np.array([-5.0, -4.0, 0.0, 3.0]), 7)) == 0
    assert rows_beyond(inside, Numbers.of(np.array([-9.0, -5.0, 3.0, 3.3]), 7)) == 2


def test_days_that_move_raise_the_threshold() -> None:
    """What the days do by themselves is no drift, however many rows a day has."""
    window = drawn(5, 100_000, miles=0.1)
    restless = Reference("", REFERENCE.profile, None, {"trip_distance": 0.01, "": 0.01})
    assert ("trip_distance", "drift") in changed(window)
    assert ("trip_distance", "drift") not in changed(window, restless)


def test_too_few_rows_are_not_compared() -> None:
    """They say nothing."""
    few, many = Numbers.of(np.arange(1.0, 50.0), 5), Numbers.of(np.arange(1.0, 500.0), 5)
    assert difference(many, few) is None
    assert difference(few, many) is None


def test_effect_sizes_are_those_of_the_definitions() -> None:
    """Nothing between equals, one bit between strangers."""
    same = Bins(["a", "b"], np.array([100, 300]), np.array([10, 30]))
    apart = Bins(["a", "b"], np.array([1000, 0]), np.array([0, 1000]))
    shifted = Bins(["a", "b"], np.array([5000, 5000]), np.array([6000, 4000]))
    assert jensen_shannon(same) == pytest.approx(0)
    assert psi(same) == pytest.approx(0, abs=1e-3)
    assert jensen_shannon(apart) == pytest.approx(1)
    expected = 0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5)
    assert psi(shifted) == pytest.approx(expected, rel=0.01)


def test_false_discoveries_are_held_over_all_questions() -> None:
    """The example of Benjamini and Hochberg's paper: four of fifteen."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert sum(false_discoveries_held(p)) == 4
    assert false_discoveries_held(p[::-1])[-4:] == [True] * 4
    assert false_discoveries_held([]) == []


def test_shares_are_compared_exactly_where_they_are_small() -> None:
    """And are equal where nothing is in either."""
    assert rate_differs(0, 1000, 0, 1000) == 1.0
    assert rate_differs(0, 1000, 20, 1000) < 1e-5
    assert rate_differs(300, 1000, 310, 1000) == pytest.approx(0.626, abs=0.01)
