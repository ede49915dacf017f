"""The pair behind LitServe; its first argument is the port."""

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import litserve


class Rides(litserve.LitAPI):
    """Features, then the model."""

    def setup(self, device: str) -> None:
        self.vectorizer, self.model = pickle.loads(Path(os.environ["PAIR"]).read_bytes())

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # an annotation would be a query
        return request["ride"]

    def predict(self, ride: dict[str, Any]) -> float:
        zones = f"{ride['PULocationID']}_{ride['DOLocationID']}"
        row = {"PU_DO": zones, "trip_distance": ride["trip_distance"]}
        return float(self.model.predict(self.vectorizer.transform([row]))[0])

    def encode_response(self, output: float) -> dict[str, float]:
        return {"duration": output}


if __name__ == "__main__":
    server = litserve.LitServer(Rides(), accelerator="cpu")
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
