"""The pair behind BentoML, with a typed record."""

import os
import pickle
from pathlib import Path

import bentoml
from pydantic import BaseModel


class Ride(BaseModel):
    """As in the tutorial."""

    PULocationID: int
    DOLocationID: int
    trip_distance: float


@bentoml.service(workers=1)
class Rides:
    """Features, then the model."""

    def __init__(self) -> None:
        self.vectorizer, self.model = pickle.loads(Path(os.environ["PAIR"]).read_bytes())

    @bentoml.api
    def predict(self, ride: Ride) -> dict[str, float]:
        zones = f"{ride.PULocationID}_{ride.DOLocationID}"
        row = {"PU_DO": zones, "trip_distance": ride.trip_distance}
        return {"duration": float(self.model.predict(self.vectorizer.transform([row]))[0])}
