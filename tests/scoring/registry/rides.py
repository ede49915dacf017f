"""The model that the registry's tests serve, and two of its records."""

from __future__ import annotations

from scoring.models import discover

RIDE = discover()["ride"]
RIDES = [dict(RIDE.example), {"PULocationID": 3, "DOLocationID": 5, "trip_distance": 7}]
