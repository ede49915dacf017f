"""The pair behind FastStream over confluent-kafka, one worker.

Its arguments are the brokers, the topic of rides, that of predictions, and when an event is
acknowledged: `ack_first` is FastStream's default, `ack` is after its prediction.
"""

import asyncio
import os
import pickle
import sys
from pathlib import Path

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker
from pydantic import BaseModel, Field

vectorizer, model = pickle.loads(Path(os.environ["PAIR"]).read_bytes())
brokers, source, sink, policy = sys.argv[1:]
broker = KafkaBroker(brokers, logger=None)


class Ride(BaseModel):
    """Zone numbers and miles."""

    PULocationID: int = Field(ge=1, le=265)
    DOLocationID: int = Field(ge=1, le=265)
    trip_distance: float = Field(ge=0, le=100)


@broker.subscriber(
    source, group_id=sink, auto_offset_reset="earliest", ack_policy=AckPolicy(policy)
)
@broker.publisher(sink)
async def predict(ride: Ride) -> dict[str, float]:
    """Return the duration in minutes."""
    features = {
        "PU_DO": f"{ride.PULocationID}_{ride.DOLocationID}",
        "trip_distance": ride.trip_distance,
    }
    return {"duration": float(model.predict(vectorizer.transform(features))[0])}


asyncio.run(FastStream(broker, logger=None).run())
