"""How long a New York taxi ride takes: minutes from pickup to drop-off."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scoring.models import Answer, Features, Model
from scoring.record import Record

Zone = Annotated[int, Field(ge=1, le=265, json_schema_extra={"x-names": "taxi_zones"})]


class Ride(Record):
    """A ride as it is known when it begins. Zones are the TLC's taxi zones, 1 to 265."""

    PULocationID: Zone = Field(title="Pickup zone", description="TLC taxi zone of the pickup")
    DOLocationID: Zone = Field(title="Drop-off zone", description="TLC taxi zone of the drop-off")
    # Nobody rides 100 miles within the 60 minutes that the model is trained on: such a distance is
    # a faulty meter, and an answer to it would be a wrong number.
    trip_distance: float = Field(
        ge=0, le=100, title="Distance", description="length of the ride in miles"
    )


def features(ride: Ride) -> Features:
    """The pair of zones as one category, and the distance in miles."""
    return {
        "PU_DO": f"{ride.PULocationID}_{ride.DOLocationID}",
        "trip_distance": ride.trip_distance,
    }


def zones(ride: Ride) -> Features:
    """Either zone as a category of its own: of a new pair of zones, both are mostly known."""
    return {"PULocationID": str(ride.PULocationID), "DOLocationID": str(ride.DOLocationID)}


def answer(score: float, _threshold: float) -> Answer:
    """The duration in minutes; a linear model can fall below zero where no ride can."""
    return {"duration": score if score > 0.0 else 0.0}  # max() takes twice the time


MODEL = Model(
    name="ride",
    title="Duration of a taxi ride",
    registered_name="ride-duration",
    artifact_file="lin_reg.bin",
    task="regression",
    target="duration",
    unit="minutes",
    record=Ride,
    features=features,
    further=zones,
    answer=answer,
    example={"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5},
    intended_use="An estimate of a taxi ride's length in time, made when the ride begins: to tell "
    "a passenger roughly when they arrive, or to plan a fleet. Not a promise, and no ground for "
    "what a driver is paid.",
    limits=(
        "It knows two zones and a distance: neither the hour, nor the weather, nor the traffic.",
        "Rides that took less than 1 or more than 60 minutes are in neither its training nor its "
        "metrics: how far off it is for them is not known.",
        "A pair of zones that training never saw is estimated from the distance alone; the answer "
        "names the pair under unseen.",
        "A cab's meter is sometimes left running: some of the rides it learned from are wrong.",
    ),
    rank=1,
)
