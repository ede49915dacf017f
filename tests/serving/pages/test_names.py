"""Numbers by name, in answers and weights, and what may be varied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scoring.lookups import matching, names, nearest
from scoring.models import discover
from scoring.predictor import Predictor
from serving.pages.names import Named, of_feature, of_value
from serving.pages.numbers import decimals_for
from serving.pages.whatif import variations
from tests.furnished import furnish

RIDE, CHURN = discover()["ride"], discover()["churn"]


@pytest.fixture(scope="module")
def ride(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("ride")
    furnish(RIDE, folder)
    return Predictor.from_folder(folder / "ride", RIDE)


@pytest.mark.parametrize(
    ("column", "words", "code"),
    [
        ("PU_DO=4_7", "Alphabet City to Astoria", "PU_DO=4_7"),
        ("PU_DO=4_999", "PU_DO=4_999", ""),
        ("trip_distance", "Distance", "trip_distance"),
    ],
)
def test_a_column_of_a_pair_of_zones_is_their_names(column: str, words: str, code: str) -> None:
    """The number stays beside; what is in no list keeps its own name."""
    assert of_feature(RIDE, column) == Named(words, code)


def test_a_column_of_a_choice_has_its_title() -> None:
    """`contract=two_year` is read as a person says it."""
    assert of_feature(CHURN, "contract=two_year") == Named(
        "Contract: two year", "contract=two_year"
    )


def test_a_zone_alone_has_its_name() -> None:
    """A field that is a feature of its own is named as well; a plain number is not."""
    assert of_value(RIDE, "PULocationID", 132) == Named("JFK Airport", "132")
    assert of_value(RIDE, "trip_distance", 2.5) == Named("2.5")


def test_names_are_found_by_part_and_by_likeness() -> None:
    """A misspelt name has the one that was meant first; nonsense has none."""
    assert matching("taxi_zones", " times SQ ") == ["230 Times Sq/Theatre District, Manhattan"]
    assert nearest("taxi_zones", "LaGuardia Airprot", 2)[0] == "138 LaGuardia Airport, Queens"
    assert nearest("taxi_zones", "0" * 10_000, 3) == []


@pytest.mark.parametrize(("error", "decimals"), [(17, 0), (3.1, 0), (0.3, 1), (0.02, 2), (0, 6)])
def test_an_answer_has_the_digits_that_its_error_leaves(error: float, decimals: int) -> None:
    """A number that is wrong by 3 has no decimals."""
    assert decimals_for(error) == decimals


@pytest.mark.slow
def test_a_number_is_varied_between_the_ends_of_its_training(ride: Predictor) -> None:
    """Zones by the hundred take those that training had most often; the steps fit into one
    request."""
    pickup, _, distance = variations(ride, 11)
    often = ride.manifest.profile["PULocationID"]["most_frequent"]
    assert pickup.values == [zone for zone, _ in often]
    assert pickup.labels[0] == f"{often[0][0]} {names('taxi_zones')[often[0][0]]}"
    assert distance.name == "trip_distance"
    assert (distance.values[0], distance.values[-1], len(distance.values)) == (0.0, 9.5, 11)
    assert variations(ride, 1) == []


def test_what_a_manifest_says_was_frequent_is_varied_where_the_record_takes_it(
    ride: Predictor,
) -> None:
    """No text in the place of a zone, nothing of another shape."""
    for often, found in (([["x", 3], [75, 2], 7, []], [75]), ("x", [])):
        profile = {"PULocationID": {"most_frequent": often}}
        manifest = ride.manifest.model_copy(update={"profile": profile})
        told = variations(Predictor(RIDE, replace(ride.artifact, manifest=manifest)), 11)
        assert [one.values for one in told if one.name == "PULocationID"] == [found][: len(found)]


@pytest.mark.slow
def test_choices_are_varied_where_the_form_has_them(tmp_path: Path) -> None:
    """They need no steps of their own; whole numbers are stepped by whole numbers."""
    furnish(CHURN, tmp_path)
    churn = Predictor.from_folder(tmp_path / "churn", CHURN)
    found = {one.name: one.values for one in variations(churn, 10_000)}
    assert found["contract"] == found["seniorcitizen"] == []
    assert found["tenure"] == [*range(10)]
    assert "contract" not in {one.name for one in variations(churn, 2)}
