"""A model's profile: counted by runs of rows, added up, written and read."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
import orjson
import pytest
from pydantic import Field

from scoring.errors import ArtifactError
from scoring.models import Model, discover
from scoring.profiles.fields import field_kinds
from scoring.profiles.numbers import Numbers
from scoring.profiles.performance import measure, total
from scoring.profiles.profile import (
    CategoryColumn,
    Column,
    NumberColumn,
    Profile,
    add,
    count,
    profile_of,
)
from scoring.record import Record
from tests.support.chance import generator

RANDOM = generator(5)
ROWS = 1000
MILES = np.where(np.arange(ROWS) % 50 == 0, np.nan, RANDOM.lognormal(1, 1, ROWS))
ZONES = np.where(np.arange(ROWS) % 100 == 0, -1, RANDOM.integers(0, 3, ROWS))
COLUMNS: dict[str, Column] = {
    "miles": NumberColumn(MILES),
    "zone": CategoryColumn(ZONES, ["74", "75", "166"]),
}
SCORES = RANDOM.normal(15, 4, ROWS)


def test_runs_of_rows_add_up_to_all_of_them() -> None:
    """Hours to a day, by any cut."""
    [whole] = count("ride", COLUMNS, SCORES, {})
    parts = count("ride", COLUMNS, SCORES, {}, [0, 100, 101, 700])
    assert [part.rows for part in parts] == [100, 1, 599, 300]
    summed = add(parts)
    miles, zone = summed.fields["miles"], summed.fields["zone"]
    assert isinstance(miles, Numbers)
    assert (miles.count, miles.missing, zone.missing) == (980, 20, 10)
    assert miles.counts == whole.fields["miles"].counts
    assert zone == whole.fields["zone"]
    assert summed.score.cells == whole.score.cells


def test_hashed_values_are_counted_as_hidden() -> None:
    """A number that is known by its hash has no distribution; a category has that of its hashes."""
    hidden = np.ones(4, bool)
    [found] = count(
        "ride",
        {"miles": NumberColumn(np.full(4, np.nan), hidden),
         "zone": CategoryColumn(np.array([0, 0, 1, -1]), ["hmac:a", "hmac:b"], hidden=True)},
        np.ones(4), {},
    )  # fmt: skip
    miles, zone = found.fields["miles"], found.fields["zone"]
    assert (miles.count, miles.missing, miles.hidden) == (0, 0, 4)
    assert (zone.count, zone.missing, zone.hidden) == (3, 1, 3)


def test_a_field_that_only_later_rows_have_is_summed_over_those() -> None:
    """A record gains a field: the log goes on."""
    [old] = count("ride", {"miles": COLUMNS["miles"]}, SCORES, {})
    [new] = count("ride", COLUMNS, SCORES, {})
    assert add([old, new]).fields["zone"] == new.fields["zone"]
    assert add([old, new]).rows == 2 * ROWS


def test_a_profile_survives_being_written() -> None:
    """With everything that a training puts in, and no row."""
    [found] = count("ride", COLUMNS, SCORES, {})
    truth = SCORES + RANDOM.normal(0, 2, ROWS)
    measured = measure("test", SCORES, truth, found.score, {"zone": (ZONES, ["74", "75", "166"])})
    full = Profile(
        model="ride", rows=ROWS, fields=found.fields, score=found.score, target=found.score,
        day_to_day={"miles": 0.001}, performance=measured, tallies={"unseen": 3},
    )  # fmt: skip
    assert profile_of(full.content()) == full
    assert full.scales == {"miles": 5, "": 5}


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"{", "no profile"), (b'{"format": 9}', "format 9"), (b'{"format": 1}', "`model`"),
     (b"[]", "no profile")],
    ids=["broken", "newer", "incomplete", "list"],
)  # fmt: skip
def test_what_is_no_profile_is_refused(content: bytes, says: str) -> None:
    """With a sentence."""
    with pytest.raises(ArtifactError, match=says):
        profile_of(content)


def test_errors_are_summed_by_score_and_by_segment() -> None:
    """About a twentieth of the rows in each bin; every row in one."""
    [found] = count("ride", {}, SCORES, {})
    truth = SCORES - 1.5
    measured = measure("test", SCORES, truth, found.score, {"zone": (ZONES, ["74", "75", "166"])})
    assert measured.whole.rows == ROWS
    assert measured.whole.error == pytest.approx(1.5 * ROWS)
    assert measured.whole.squared == pytest.approx(1.5**2 * ROWS)
    assert 15 <= len(measured.by_score) <= 20
    for low, one in zip(measured.edges, measured.by_score[1:], strict=True):
        assert one.score / one.rows >= low
    zones = measured.by_segment["zone"]
    assert {name: one.rows for name, one in zones.items()} == {
        name: np.count_nonzero(code == ZONES) for code, name in enumerate(["74", "75", "166"])
    }
    assert total(list(zones.values())).rows == np.count_nonzero(ZONES >= 0)


def test_zones_are_categories_and_quantities_are_numbers() -> None:
    """Also a whole number of two values; tenure in months is a number."""
    ride, churn = discover()["ride"], discover()["churn"]
    assert field_kinds(ride) == {
        "PULocationID": "category", "DOLocationID": "category", "trip_distance": "number",
    }  # fmt: skip
    kinds = field_kinds(churn)
    assert [name for name, kind in kinds.items() if kind == "number"] == [
        "tenure", "monthlycharges", "totalcharges",
    ]  # fmt: skip


def test_every_field_of_every_model_has_a_kind(model: Model) -> None:
    """Whatever its schema holds."""
    assert list(field_kinds(model)) == list(model.record.model_fields)


def test_a_number_that_the_model_takes_as_a_name_is_a_category() -> None:
    """`features` makes a text of it, without a list of names in the schema."""

    class Stop(Record):
        line: Annotated[int, Field(ge=1, le=300)]
        stops: Annotated[int, Field(ge=1, le=300)]

    ride = discover()["ride"]
    model = Model(
        **{**vars(ride), "record": Stop, "example": {"line": 4, "stops": 9},
           "features": lambda stop: {"line": f"{stop.line}", "stops": stop.stops}},
    )  # fmt: skip
    assert field_kinds(model) == {"line": "category", "stops": "number"}


def test_the_file_is_json_for_everyone() -> None:
    """Format, model and rows first."""
    [found] = count("ride", COLUMNS, SCORES, {})
    assert list(orjson.loads(found.content()))[:3] == ["format", "model", "rows"]


def test_a_training_s_file_has_the_bins_by_quantile() -> None:
    """Of each number, to the width of a cell; an hour's has none."""
    [found] = count("ride", COLUMNS, SCORES, {})
    measured = measure("test", SCORES, SCORES, found.score, {})
    told = orjson.loads(replace(found, performance=measured).content())["bins"]
    expected = np.quantile(SCORES, np.arange(1, 10) / 10)
    assert told[""] == pytest.approx(expected.tolist(), rel=0.03)
    assert (told.keys(), len(told["miles"])) == ({"", "miles"}, 9)
    assert "bins" not in orjson.loads(found.content())
