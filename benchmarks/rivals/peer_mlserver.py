"""The pair behind MLServer, as a runtime of its own in one process; its first argument is the
port."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from pathlib import Path

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Rides(MLModel):
    """Features, then the model."""

    async def load(self) -> bool:
        self.vectorizer, self.estimator = pickle.loads(Path(os.environ["PAIR"]).read_bytes())
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        ride = {part.name: part.data[0] for part in payload.inputs}
        zones = f"{int(ride['PULocationID'])}_{int(ride['DOLocationID'])}"
        row = {"PU_DO": zones, "trip_distance": ride["trip_distance"]}
        y = self.estimator.predict(self.vectorizer.transform([row]))
        output = NumpyCodec.encode_output("duration", y)
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main() -> None:
    """Serve on the port of the first argument."""
    port = int(sys.argv[1])
    settings = Settings(
        host="127.0.0.1", http_port=port, grpc_port=port + 1, parallel_workers=0,
        metrics_endpoint=None, debug=False, use_structured_logging=False,
    )  # fmt: skip
    model = ModelSettings(name="ride", implementation=Rides)
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main())
