"""The pair as an MLflow model behind `mlflow models serve`; its first argument is the port."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc

BIN = Path(sys.executable).parent


class Rides(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined]  # lazily loaded
    """Features, then the model. MLflow makes a table of the records it is sent."""

    def load_context(self, context: Any) -> None:
        self.vectorizer, self.model = pickle.loads(Path(context.artifacts["pair"]).read_bytes())

    def predict(self, context: Any, model_input: Any, params: Any = None) -> list[float]:
        rows = [
            {
                "PU_DO": f"{int(ride['PULocationID'])}_{int(ride['DOLocationID'])}",
                "trip_distance": ride["trip_distance"],
            }
            for ride in model_input.to_dict("records")
        ]
        return [float(y) for y in self.model.predict(self.vectorizer.transform(rows))]


if __name__ == "__main__":
    folder = str(Path(tempfile.mkdtemp()) / "model")
    mlflow.pyfunc.save_model(folder, python_model=Rides(), artifacts={"pair": os.environ["PAIR"]})
    words = ["models", "serve", "-m", folder, "--env-manager", "local", "-h", "127.0.0.1"]
    os.environ["PATH"] = f"{BIN}:{os.environ['PATH']}"
    os.execv(BIN / "mlflow", ["mlflow", *words, "-p", sys.argv[1], "-w", "1"])
