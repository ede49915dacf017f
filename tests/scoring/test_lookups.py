"""The names of taxi zones, and the numbers that people mean by them."""

from __future__ import annotations

import csv

import pytest

from scoring.lookups import EXTENSION, names, number_of
from scoring.models import discover
from tests.support import DATA_DIR, needs_real_data


def test_every_zone_of_the_schema_has_a_name() -> None:
    """Numbers 1 to 265, no more and no fewer, each with a name."""
    zones = names("taxi_zones")
    assert list(zones) == list(range(1, 266))
    assert all(zones.values())
    for field in discover()["ride"].record.model_json_schema()["properties"].values():
        if EXTENSION in field:
            assert (field["minimum"], field["maximum"]) == (1, 265)


@needs_real_data("taxi_zone_lookup.csv")
def test_the_names_are_the_published_ones() -> None:
    """Our file agrees with the TLC's list, but for its two numbers that mean unknown."""
    with (DATA_DIR / "taxi_zone_lookup.csv").open(encoding="utf-8", newline="") as file:
        published = {
            int(row["LocationID"]): f"{row['Zone']}, {row['Borough']}"
            for row in csv.DictReader(file)
        }
    ours = dict(names("taxi_zones"))
    assert (ours.pop(264), ours.pop(265)) == ("Unknown", "Unknown")
    del published[264], published[265]
    assert ours == published


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("132", 132),
        ("132 JFK Airport, Queens", 132),
        ("  132  ", 132),
        ("JFK", 132),
        ("jfk airport, queens", 132),
        ("Astoria, Queens", 7),
        ("Astoria", None),  # three zones hold it
        ("Atlantis", None),
        ("", None),
        ("-5", None),
        ("9999999999999", None),
        ("٣", None),
    ],
    ids=str,
)
def test_a_text_stands_for_a_number_or_for_none(text: str, number: int | None) -> None:
    """A number, a whole name or a part of one name only."""
    assert number_of("taxi_zones", text) == number


def test_a_list_that_there_is_not_is_an_error() -> None:
    """A record that names an unknown list fails loudly where it is first shown."""
    with pytest.raises(FileNotFoundError):
        names("planets")
